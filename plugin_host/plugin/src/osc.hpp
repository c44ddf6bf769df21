// OSC messages by the rules of docs/osc.md: a strict parser and its inverse. MIT.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace segue {

struct Value {
    char tag = 'i';  // i f s
    int64_t whole = 0;
    double number = 0;
    std::string text;
    Value(int value) : whole(value), number(value) {}
    Value(int64_t value) : whole(value), number(static_cast<double>(value)) {}
    Value(double value) : tag('f'), whole(static_cast<int64_t>(value)), number(value) {}
    Value(std::string value) : tag('s'), text(std::move(value)) {}
    Value(const char* value) : tag('s'), text(value) {}
};

struct Message {
    std::string address;
    std::vector<Value> values;
    int64_t whole(size_t at) const { return at < values.size() ? values[at].whole : 0; }
    double number(size_t at) const { return at < values.size() ? values[at].number : 0.0; }
    std::string text(size_t at) const { return at < values.size() ? values[at].text : std::string(); }
};

std::string encode(const Message& message);  // [session]
// The message of a datagram; false unless it is exactly one. Throws only for lack of memory.  [session]
bool decode(const uint8_t* data, size_t size, Message& message);

}  // namespace segue
