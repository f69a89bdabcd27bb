// A parallel-for for one run: threads that live as long as this object and wait for the next op by yielding.
#ifndef AOIENET_BINDINGS_TEAM_H_
#define AOIENET_BINDINGS_TEAM_H_

#include <atomic>
#include <thread>
#include <vector>

class Team {
 public:
  explicit Team(int threads) {
    for (int i = 1; i < threads; ++i) {
      try {
        helpers_.emplace_back([this] { help(); });
      } catch (...) {  // no more threads here: those that are there do all the work
        break;
      }
    }
  }
  ~Team() {
    stop_.store(true);
    for (std::thread& helper : helpers_) helper.join();
  }
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;

  // aoie_parallel_for; context is the Team.
  static void parallel_for(void* context, void (*task)(void*, int), void* argument, int count) {
    static_cast<Team*>(context)->run(task, argument, count);
  }

 private:
  void run(void (*task)(void*, int), void* argument, int count) {
    task_ = task;
    argument_ = argument;
    count_ = count;
    next_.store(0);
    busy_.store(static_cast<int>(helpers_.size()));
    round_.fetch_add(1);
    work();
    while (busy_.load() > 0) std::this_thread::yield();
  }

  void work() {
    for (int i = next_.fetch_add(1); i < count_; i = next_.fetch_add(1)) task_(argument_, i);
  }

  void help() {
    for (int seen = 0; !stop_.load();) {
      if (round_.load() == seen) {
        std::this_thread::yield();
        continue;
      }
      ++seen;
      work();
      busy_.fetch_sub(1);
    }
  }

  std::vector<std::thread> helpers_;
  std::atomic<bool> stop_{false};
  std::atomic<int> round_{0}, next_{0}, busy_{0};
  void (*task_)(void*, int) = nullptr;
  void* argument_ = nullptr;
  int count_ = 0;
};

#endif  // AOIENET_BINDINGS_TEAM_H_
