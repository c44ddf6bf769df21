// OSC: see osc.hpp. MIT.
#include "osc.hpp"

#include <cmath>
#include <cstring>

namespace segue {

namespace {

constexpr size_t datagram_max = 9216, address_max = 128, values_max = 64;

void add_text(std::string& out, const std::string& text) {
    out += text.substr(0, text.find('\0'));
    out.append(4 - out.size() % 4, '\0');
}

void add_word(std::string& out, uint32_t word) {
    for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(word >> shift & 255);
}

struct Reader {
    const uint8_t* data;
    size_t size, at = 0;
    bool text(std::string& out) {
        const void* zero = std::memchr(data + at, 0, size - at);
        if (!zero) return false;
        const size_t end = static_cast<size_t>(static_cast<const uint8_t*>(zero) - data);
        const size_t stop = at + ((end - at) / 4 + 1) * 4;
        if (stop > size) return false;
        for (size_t i = end; i < stop; ++i)
            if (data[i]) return false;
        out.assign(reinterpret_cast<const char*>(data + at), end - at);
        at = stop;
        return true;
    }
    bool word(uint32_t& out) {
        if (at + 4 > size) return false;
        out = uint32_t(data[at]) << 24 | uint32_t(data[at + 1]) << 16 | uint32_t(data[at + 2]) << 8 | data[at + 3];
        at += 4;
        return true;
    }
};

bool read_value(Reader& reader, char tag, Message& message) {
    uint32_t word = 0;
    if (tag == 's') {
        std::string text;
        if (!reader.text(text)) return false;
        message.values.emplace_back(std::move(text));
    } else if (tag == 'i' && reader.word(word)) {
        message.values.emplace_back(static_cast<int64_t>(static_cast<int32_t>(word)));
    } else if (tag == 'f' && reader.word(word)) {
        float number;
        std::memcpy(&number, &word, 4);
        if (!std::isfinite(number) || std::fabs(number) > 1e15f) return false;
        message.values.emplace_back(static_cast<double>(number));
    } else {
        return false;
    }
    return true;
}

}  // namespace

std::string encode(const Message& message) {
    std::string out, tags = ",";
    add_text(out, message.address);
    for (const Value& value : message.values) tags += value.tag;
    add_text(out, tags);
    for (const Value& value : message.values) {
        if (value.tag == 's') {
            add_text(out, value.text);
        } else if (value.tag == 'i') {
            add_word(out, static_cast<uint32_t>(static_cast<int32_t>(value.whole)));
        } else {
            const float number = static_cast<float>(value.number);
            uint32_t word;
            std::memcpy(&word, &number, 4);
            add_word(out, word);
        }
    }
    return out;
}

bool decode(const uint8_t* data, size_t size, Message& message) {
    if (size == 0 || size % 4 || size > datagram_max || data[0] != '/') return false;
    Reader reader{data, size};
    std::string tags;
    message = Message{};
    if (!reader.text(message.address) || message.address.size() > address_max) return false;
    if (reader.at >= size || !reader.text(tags) || tags.empty() || tags[0] != ',' || tags.size() > values_max + 1)
        return false;
    for (size_t i = 1; i < tags.size(); ++i)
        if (!read_value(reader, tags[i], message)) return false;
    return reader.at == size;
}

}  // namespace segue
