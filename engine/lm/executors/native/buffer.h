// Growing memory, aligned for vectors.
#pragma once

#include <cstdint>
#include <memory>

namespace segue {

// Numbers aligned to 64 bytes.
template <class T>
class Buffer {
 public:
  T* at_least(int64_t count) {
    if (count > count_) {
      room_.reset(new char[size_t(count) * sizeof(T) + 64]());
      const auto address = reinterpret_cast<uintptr_t>(room_.get());
      start_ = reinterpret_cast<T*>((address + 63) / 64 * 64);
      count_ = count;
    }
    return start_;
  }
  T* get() const { return start_; }

 private:
  std::unique_ptr<char[]> room_;
  T* start_ = nullptr;
  int64_t count_ = 0;
};

}  // namespace segue
