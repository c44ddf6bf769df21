# An engine for `segue relay` on other machines. CPU:   docker build -t segue .
#                                      NVIDIA GPU:      docker build -t segue-cuda --build-arg TORCH=cuda .
# The secret is mounted, not built in:
#   docker run --rm -p 9600:9600 --shm-size 1g -v "$PWD/secret.txt:/run/secret.txt:ro" segue
#   docker run --rm -p 9600:9600 --shm-size 1g --gpus all -v ... segue-cuda --device cuda
FROM python:3.11-slim AS build
ARG TORCH=cpu
RUN apt-get update && apt-get install -y --no-install-recommends gcc g++ libc6-dev && rm -rf /var/lib/apt/lists/*
RUN python -m venv /venv
ENV PATH=/venv/bin:$PATH
WORKDIR /src
COPY . .
# PyPI's torch for Linux has CUDA; the smaller one without comes from PyTorch's own index.
RUN if [ "$TORCH" = cpu ]; then \
        pip install --no-cache-dir -c constraints.txt --index-url https://download.pytorch.org/whl/cpu torch torchaudio; \
    fi \
    && pip install --no-cache-dir -c constraints.txt . cryptography

FROM python:3.11-slim
RUN apt-get update && apt-get install -y --no-install-recommends libportaudio2 libsndfile1 libgomp1 \
    && rm -rf /var/lib/apt/lists/* && useradd --create-home segue
COPY --from=build /venv /venv
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1
USER segue
EXPOSE 9600/tcp
ENTRYPOINT ["segue", "engine", "--listen", "0.0.0.0", "--secret-file", "/run/secret.txt"]
