# Segue's engine, or a farm of them, in a container: docs/docker.md.
#   docker build -t segue .                                        processors only
#   docker build -t segue-cuda --build-arg TORCH=cuda .            NVIDIA GPUs
#   docker build -t segue-farm --build-arg EXTRA=farm .            with Ray: many engines behind one door
FROM debian:bookworm-slim

# g++ compiles the model's fast step during the installation.
RUN apt-get update \
    && apt-get install -y --no-install-recommends python3 python3-venv g++ libsndfile1 \
    && rm -rf /var/lib/apt/lists/*
RUN python3 -m venv /opt/segue
ENV PATH=/opt/segue/bin:$PATH PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1

WORKDIR /src
COPY constraints.txt ./
# torch alone first: it is most of the image, and changes rarely.
ARG TORCH=cpu
RUN if [ "$TORCH" = cpu ]; then index="--extra-index-url https://download.pytorch.org/whl/cpu"; fi; \
    pip install -c constraints.txt $index torch torchaudio
COPY . .
ARG EXTRA=far
RUN pip install -c constraints.txt ".[$EXTRA]"

# Any user may run it: shared memory belongs to the user of the host program (docker run --user).
RUN useradd --create-home segue && mkdir /home/segue/.cache && chmod 777 /home/segue /home/segue/.cache
USER segue
ENV HOME=/home/segue
WORKDIR /home/segue
# Models from the hub and what was measured once stay in a volume.
VOLUME /home/segue/.cache
# What the NVIDIA container toolkit hands in; without it these are without effect.
ENV NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility

STOPSIGNAL SIGINT
ENTRYPOINT ["segue"]
CMD ["engine"]
