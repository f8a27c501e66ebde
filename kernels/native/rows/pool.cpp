#include "rows/pool.hpp"

#include <pthread.h>

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace calib {
namespace {

// Waking a sleeping thread takes as long as a small call. So a worker looks out for the next call,
// and a caller for the last row, for a while before they sleep: the one for a small call's time,
// the other for less than a millisecond.
constexpr int WORKER_SPINS = 1000;
constexpr int CALLER_SPINS = 20000;

inline void relax() {
#if defined(__x86_64__) || defined(_M_X64)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

template <class Ready>
bool spin(int times, Ready ready) {
  for (int i = 0; i < times; ++i) {
    if (ready()) return true;
    relax();
  }
  return false;
}

class Pool {
 public:
  // False if another call has the pool.
  bool run(int64_t tasks, int helpers, const std::function<void(int64_t)>& task) {
    std::unique_lock<std::mutex> turn(turn_, std::try_to_lock);
    if (!turn.owns_lock()) return false;
    {
      std::lock_guard<std::mutex> lock(mutex_);
      grow(helpers);
      task_ = &task;
      tasks_ = tasks;
      next_.store(0, std::memory_order_relaxed);
      wanted_ = std::min<int>(helpers, static_cast<int>(workers_.size()));
      busy_.store(wanted_, std::memory_order_relaxed);
      round_.fetch_add(1, std::memory_order_release);
    }
    wake_.notify_all();
    work(task, tasks);
    const auto idle = [this] { return busy_.load(std::memory_order_acquire) == 0; };
    if (spin(CALLER_SPINS, idle)) return true;
    std::unique_lock<std::mutex> lock(mutex_);
    done_.wait(lock, idle);
    return true;
  }

 private:
  void grow(int helpers) {
    while (static_cast<int>(workers_.size()) < helpers) {
      const int index = static_cast<int>(workers_.size());
      try {
        workers_.emplace_back([this, index, round = round_.load()] { serve(index, round); });
      } catch (const std::system_error&) {
        return;  // no more threads to be had: fewer share the work
      }
      workers_.back().detach();
    }
  }

  void serve(int index, uint64_t seen) {
    const auto called = [&] { return round_.load(std::memory_order_acquire) != seen; };
    for (;;) {
      spin(WORKER_SPINS, called);
      std::unique_lock<std::mutex> lock(mutex_);
      wake_.wait(lock, called);
      seen = round_.load(std::memory_order_relaxed);
      if (index >= wanted_) continue;
      const auto* task = task_;
      const int64_t tasks = tasks_;
      lock.unlock();
      work(*task, tasks);
      if (busy_.fetch_sub(1, std::memory_order_acq_rel) > 1) continue;
      lock.lock();  // so that a caller cannot miss it between looking and sleeping
      done_.notify_one();
    }
  }

  void work(const std::function<void(int64_t)>& task, int64_t tasks) {
    for (int64_t i; (i = next_.fetch_add(1, std::memory_order_relaxed)) < tasks;) task(i);
  }

  std::mutex turn_, mutex_;
  std::condition_variable wake_, done_;
  std::vector<std::thread> workers_;
  std::atomic<int64_t> next_{0};
  const std::function<void(int64_t)>* task_ = nullptr;
  int64_t tasks_ = 0;
  std::atomic<uint64_t> round_{0};
  std::atomic<int> busy_{0};
  int wanted_ = 0;
};

// Never destroyed: its threads may outlive static destructors. A forked child has none of them, so
// it gets a new pool and leaves the old one, whose locks may be held, as it is.
std::atomic<Pool*> current{nullptr};

Pool& pool() {
  static const int registered = pthread_atfork(nullptr, nullptr, [] { current.store(new Pool); });
  (void)registered;
  Pool* p = current.load();
  if (!p) {
    Pool* fresh = new Pool;
    if (current.compare_exchange_strong(p, fresh)) return *fresh;
    delete fresh;
  }
  return *p;
}

}  // namespace

void parallel_for(int64_t tasks, int threads, const std::function<void(int64_t)>& task) {
  const int helpers = static_cast<int>(std::min<int64_t>(threads, tasks)) - 1;
  if (helpers > 0 && pool().run(tasks, helpers, task)) return;
  for (int64_t i = 0; i < tasks; ++i) task(i);
}

}  // namespace calib
