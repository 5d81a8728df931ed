// Memory that grows and is never initialised, and loops over threads that cannot leak an exception.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <new>
#include <type_traits>

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

// body(begin, end) over equal parts of 0..count; small work stays on the calling thread.
template <class F> void parallel_ranges(long count, int threads, long smallest, F body) {
  const long parts = count < smallest ? 1 : threads;
#pragma omp parallel for num_threads(parts) schedule(static, 1) if (parts > 1)
  for (long part = 0; part < parts; ++part) body(count * part / parts, count * (part + 1) / parts);
}

}  // namespace s3d
