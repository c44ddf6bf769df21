// A line of text that is typed: see window_text.hpp. MIT.
#include "window_text.hpp"

#include <algorithm>

namespace segue {

namespace {

constexpr size_t history_max = 30;

bool inside(char byte) { return (static_cast<unsigned char>(byte) & 0xC0) == 0x80; }

}  // namespace

size_t TextLine::next(size_t at) const {
    if (at < text_.size()) ++at;
    while (at < text_.size() && inside(text_[at])) ++at;
    return at;
}

size_t TextLine::previous(size_t at) const {
    if (at > 0) --at;
    while (at > 0 && inside(text_[at])) --at;
    return at;
}

void TextLine::set(const std::string& text) {
    text_.clear();
    cursor_ = 0;
    selected_ = stepping_ = false;
    insert(text);
}

void TextLine::insert(const std::string& utf8) {
    std::string clean;
    for (const char byte : utf8) clean += static_cast<unsigned char>(byte) < 32 || byte == 127 ? ' ' : byte;
    if (selected_) text_.clear();
    if (selected_) cursor_ = 0;
    selected_ = false;
    size_t room = bytes_max_ - std::min(bytes_max_, text_.size());
    room = std::min(room, clean.size());
    while (room > 0 && room < clean.size() && inside(clean[room])) --room;
    text_.insert(cursor_, clean, 0, room);
    cursor_ += room;
}

void TextLine::erase(bool before) {
    if (selected_) {
        set("");
        return;
    }
    const size_t from = before ? previous(cursor_) : cursor_, to = before ? cursor_ : next(cursor_);
    text_.erase(from, to - from);
    cursor_ = from;
}

void TextLine::move(int characters) {
    selected_ = false;
    for (; characters < 0; ++characters) cursor_ = previous(cursor_);
    for (; characters > 0; --characters) cursor_ = next(cursor_);
}

void TextLine::remember() {
    stepping_ = false;
    if (text_.empty()) return;
    history.erase(std::remove(history.begin(), history.end(), text_), history.end());
    history.push_back(text_);
    if (history.size() > history_max) history.erase(history.begin());
}

void TextLine::step(int entries) {
    if (!stepping_) {
        draft_ = text_;
        place_ = history.size();
    }
    const int64_t wanted = static_cast<int64_t>(place_) + entries;
    if (wanted < 0 || wanted > static_cast<int64_t>(history.size())) return;
    const std::string draft = draft_;
    set(wanted == static_cast<int64_t>(history.size()) ? draft : history[static_cast<size_t>(wanted)]);
    place_ = static_cast<size_t>(wanted);
    draft_ = draft;
    stepping_ = true;
}

}  // namespace segue
