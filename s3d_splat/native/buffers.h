// Memory that grows and is never initialised, and loops over threads that cannot leak an exception.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <new>
#include <thread>
#include <type_traits>
#include <utility>

#ifdef _OPENMP
#include <omp.h>
#endif

namespace s3d {

// Status codes of the C interface.
enum Status : int { kOk = 0, kOutOfMemory = 1, kTooMany = 2, kBadArgument = 3, kBadIndex = 4 };

template <class T> class Buffer {
  static_assert(std::is_trivially_copyable<T>::value, "buffers hold plain values");

 public:
  Buffer() = default;
  Buffer(Buffer&& other) noexcept : data_(std::exchange(other.data_, nullptr)), capacity_(std::exchange(other.capacity_, 0)) {}
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer() { std::free(data_); }

  // Room for `size` values; the old values are lost if it has to grow.
  T* reserve(size_t size) {
    if (size > capacity_) {
      std::free(data_);
      data_ = nullptr;
      capacity_ = 0;
      const size_t bytes = ((size + size / 8) * sizeof(T) + 127) / 64 * 64;
      data_ = static_cast<T*>(std::aligned_alloc(64, bytes));
      if (!data_) throw std::bad_alloc();
      capacity_ = bytes / sizeof(T);
    }
    return data_;
  }

  // Room for `more` values behind the first `used`, which stay.
  T* extend(size_t used, size_t more) {
    if (used + more > capacity_) {
      Buffer larger;
      larger.reserve(2 * (used + more));
      if (used) std::memcpy(larger.data_, data_, used * sizeof(T));
      std::swap(data_, larger.data_);
      std::swap(capacity_, larger.capacity_);
    }
    return data_ + used;
  }

  T* data() { return data_; }
  const T* data() const { return data_; }
  T& operator[](size_t i) { return data_[i]; }
  const T& operator[](size_t i) const { return data_[i]; }
  size_t capacity_bytes() const { return capacity_ * sizeof(T); }

 private:
  T* data_ = nullptr;
  size_t capacity_ = 0;
};

inline int thread_index() {
#ifdef _OPENMP
  return omp_get_thread_num();
#else
  return 0;
#endif
}

inline int team_size() {
#ifdef _OPENMP
  return omp_get_num_threads();
#else
  return 1;
#endif
}

// The threads of a parallel region wait here for each other: microseconds, since they share out their work piece by piece. That is
// less than waking a thread that sleeps; one whose partner was taken off its core gives its own away.
class Barrier {
 public:
  void wait(int team) {
    const int round = round_.load(std::memory_order_acquire);
    if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == team) {
      arrived_.store(0, std::memory_order_relaxed);
      round_.store(round + 1, std::memory_order_release);
      return;
    }
    for (int spins = 0; round_.load(std::memory_order_acquire) == round; ++spins)
      if (spins >= kSpins) std::this_thread::yield();
      else relax();
  }

 private:
  static constexpr int kSpins = 500;
  static void relax() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
  }
  std::atomic<int> arrived_{0}, round_{0};
};

// Copies of a few values, without a call.
template <class T> inline void copy_few(const T* from, int count, T* to) {
  for (; count >= 4; count -= 4, from += 4, to += 4) std::memcpy(to, from, 4 * sizeof(T));
  if (count & 2) std::memcpy(to, from, 2 * sizeof(T)), from += 2, to += 2;
  if (count & 1) *to = *from;
}

// body(begin, end) over equal parts of 0..count; small work stays on the calling thread.
template <class F> void parallel_ranges(long count, int threads, long smallest, F body) {
  const long parts = count < smallest ? 1 : threads;
#pragma omp parallel for num_threads(parts) schedule(static, 1) if (parts > 1)
  for (long part = 0; part < parts; ++part) body(count * part / parts, count * (part + 1) / parts);
}

}  // namespace s3d
