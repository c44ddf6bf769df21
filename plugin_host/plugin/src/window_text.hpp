// A line of text that is typed: UTF-8, a cursor, a selection of all of it, and what was entered before. MIT.
#pragma once
#include <string>
#include <vector>

namespace segue {

class TextLine {
public:
    explicit TextLine(size_t bytes_max) : bytes_max_(bytes_max) {}
    const std::string& text() const { return text_; }
    size_t cursor() const { return cursor_; }  // in bytes
    bool all_selected() const { return selected_; }
    void set(const std::string& text);         // the cursor goes to its end
    void insert(const std::string& utf8);      // control characters become spaces; what is too long is left out
    void erase(bool before);                   // the character before or after the cursor, or the selection
    void move(int characters);                 // to the left or right
    void home() { cursor_ = 0; selected_ = false; }
    void end() { cursor_ = text_.size(); selected_ = false; }
    void select_all() { selected_ = !text_.empty(); }
    std::vector<std::string> history;          // the newest last
    void remember();                           // the present text
    void step(int entries);                    // through the history: -1 is older

private:
    size_t next(size_t at) const;
    size_t previous(size_t at) const;

    std::string text_, draft_;
    size_t cursor_ = 0, bytes_max_, place_ = 0;  // in the history; its size: the text that is being typed
    bool selected_ = false, stepping_ = false;
};

}  // namespace segue
