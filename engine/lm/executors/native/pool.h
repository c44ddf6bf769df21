// A few threads that take one step together, phase by phase, and sleep between steps.
//
// A step's work is divided into numbered pieces, counted on from step to step. `next` is the next piece to take,
// `done` the number of finished ones; the pieces of a phase are taken once all earlier ones are done. No thread waits
// for another thread, only for pieces: a thread that sleeps or was preempted continues where the others are.
#pragma once

#include <immintrin.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

namespace segue {

struct Plan {
  std::vector<uint64_t> ends;  // number of pieces up to the end of each phase
};

class Work {
 public:
  virtual ~Work() = default;
  // Does a piece of a phase; `stamp` identifies phase and step, and is used once.
  virtual void piece(int worker, int phase, uint64_t index, uint64_t stamp) = 0;
};

class Pool {
 public:
  ~Pool() {
    {
      std::lock_guard<std::mutex> hold(lock_);
      stop_ = true;
    }
    if (getpid() != owner_) {  // a forked process does not have the threads
      new std::vector<std::thread>(std::move(helpers_));
      return;
    }
    wake_.notify_all();
    for (auto& helper : helpers_) helper.join();
  }

  // Does all of `plan` on this thread and up to `threads` - 1 others. `plan` must live as long as the pool.
  void run(const Plan& plan, Work& work, int threads) {
    while (int(helpers_.size()) < threads - 1) add();
    Job job{};
    {
      std::lock_guard<std::mutex> hold(lock_);
      job = job_ = Job{&plan, &work, next_.load(), threads};
      ++epoch_;
    }
    if (threads > 1) wake_.notify_all();
    walk(job, 0);
  }

 private:
  struct Job {
    const Plan* plan;
    Work* work;
    uint64_t base;
    int threads;
  };
  static constexpr int SPINS = 300;  // with a pause each: about 20 microseconds

  void add() {
    const int worker = int(helpers_.size()) + 1;
    helpers_.emplace_back([this, worker] { help(worker); });
  }

  void help(int worker) {
    uint64_t seen = 0;
    std::unique_lock<std::mutex> hold(lock_);
    while (true) {
      wake_.wait(hold, [&] { return stop_ || epoch_ != seen; });
      if (stop_) return;
      seen = epoch_;
      const Job job = job_;
      hold.unlock();
      if (worker < job.threads) walk(job, worker);
      hold.lock();
    }
  }

  void walk(const Job& job, int worker) {
    const unsigned control = _mm_getcsr();
    _mm_setcsr(control | 0x8040);  // subnormal numbers are zeros, on every thread
    uint64_t start = job.base;
    for (size_t phase = 0; phase < job.plan->ends.size(); ++phase) {
      const uint64_t end = job.base + job.plan->ends[phase];
      uint64_t at = next_.load(std::memory_order_acquire);
      while (at < end) {
        if (!next_.compare_exchange_weak(at, at + 1)) continue;
        job.work->piece(worker, int(phase), at - start, start);
        if (done_.fetch_add(1) + 1 == end && waiting_.load() > 0) {
          std::lock_guard<std::mutex> hold(lock_);
          on_.notify_all();
        }
        at = next_.load(std::memory_order_acquire);
      }
      await(end);
      start = end;
    }
    _mm_setcsr(control);
  }

  void await(uint64_t end) {
    for (int spin = 0; spin < SPINS; ++spin) {
      if (done_.load(std::memory_order_acquire) >= end) return;
      _mm_pause();
    }
    std::unique_lock<std::mutex> hold(lock_);
    waiting_.fetch_add(1);
    on_.wait(hold, [&] { return done_.load() >= end; });
    waiting_.fetch_sub(1);
  }

  std::mutex lock_;
  std::condition_variable wake_, on_;
  std::vector<std::thread> helpers_;
  Job job_{};
  uint64_t epoch_ = 0;
  bool stop_ = false;
  pid_t owner_ = getpid();
  alignas(64) std::atomic<uint64_t> next_{0};
  alignas(64) std::atomic<uint64_t> done_{0};
  alignas(64) std::atomic<int> waiting_{0};
};

}  // namespace segue
