// Threads of our own over independent tasks. No OpenMP: a second runtime beside torch's is a
// hazard.
#pragma once

#include <cstdint>
#include <functional>

namespace calib {

// Calls task(0) .. task(tasks - 1), each once, on up to `threads` threads, the caller's among them;
// returns when all are done. A call while another runs works on its own thread alone. Survives
// fork: the child starts threads of its own when it first needs them.
void parallel_for(int64_t tasks, int threads, const std::function<void(int64_t)>& task);

}  // namespace calib
