// Vectors of the machine's width as GCC/Clang vector extensions, the same source for float and double.
// A tile is 16 x 16 pixels; with AVX-512 one row of floats is one vector, with narrower vectors a row is several segments.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#if defined(__AVX512F__) && defined(__AVX512DQ__)
#include <immintrin.h>
#define S3D_AVX512 1
#define S3D_VECTOR_BYTES 64
#elif defined(__AVX2__)
#include <immintrin.h>
#define S3D_VECTOR_BYTES 32
#else
#define S3D_VECTOR_BYTES 16
#endif

#define S3D_INLINE inline __attribute__((always_inline))

namespace s3d {

constexpr int kTile = 16;
constexpr int kTilePixels = kTile * kTile;

template <class S> struct Simd;

template <> struct Simd<float> {
  typedef float V __attribute__((vector_size(S3D_VECTOR_BYTES)));
  typedef int32_t M __attribute__((vector_size(S3D_VECTOR_BYTES)));
  typedef uint32_t U __attribute__((vector_size(S3D_VECTOR_BYTES)));
  static constexpr int W = S3D_VECTOR_BYTES / 4;
};

template <> struct Simd<double> {
  typedef double V __attribute__((vector_size(S3D_VECTOR_BYTES)));
  typedef int64_t M __attribute__((vector_size(S3D_VECTOR_BYTES)));
  static constexpr int W = S3D_VECTOR_BYTES / 8;
};

template <class S> using Vec = typename Simd<S>::V;
template <class S> using Mask = typename Simd<S>::M;

// Segments of W pixels in a tile and in one of its rows.
template <class S> constexpr int kLanes = Simd<S>::W;
template <class S> constexpr int kRowSegments = kTile / Simd<S>::W;
template <class S> constexpr int kSegments = kTilePixels / Simd<S>::W;

template <class S> S3D_INLINE Vec<S> splat(S value) { return Vec<S>{} + value; }

template <class S> S3D_INLINE Vec<S> load(const S* p) {
  Vec<S> v;
  std::memcpy(&v, p, sizeof v);
  return v;
}

template <class S> S3D_INLINE void store(S* p, Vec<S> v) { std::memcpy(p, &v, sizeof v); }

template <class S> S3D_INLINE Vec<S> lane_indices() {
  Vec<S> v;
  for (int i = 0; i < kLanes<S>; ++i) v[i] = S(i);
  return v;
}

template <class S> S3D_INLINE Vec<S> minimum(Vec<S> a, Vec<S> b) {
#ifdef S3D_AVX512
  if constexpr (sizeof(S) == 4) return (Vec<S>)_mm512_min_ps((__m512)a, (__m512)b);
#endif
  return a < b ? a : b;
}
template <class S> S3D_INLINE Vec<S> maximum(Vec<S> a, Vec<S> b) { return a > b ? a : b; }

S3D_INLINE void prefetch(const void* p) { __builtin_prefetch(p); }

template <class S> S3D_INLINE bool any(Mask<S> m) {
#ifdef S3D_AVX512
  if constexpr (sizeof(S) == 4) return _mm512_movepi32_mask((__m512i)m) != 0;
  else return _mm512_movepi64_mask((__m512i)m) != 0;
#elif defined(__AVX2__)
  return !_mm256_testz_si256((__m256i)m, (__m256i)m);
#else
  bool found = false;
  for (int i = 0; i < kLanes<S>; ++i) found |= m[i] != 0;
  return found;
#endif
}

template <class S> S3D_INLINE S sum_lanes(Vec<S> v) {
#ifdef S3D_AVX512
  if constexpr (sizeof(S) == 4) return _mm512_reduce_add_ps((__m512)v);
  else return _mm512_reduce_add_pd((__m512d)v);
#else
  S total = 0;
  for (int i = 0; i < kLanes<S>; ++i) total += v[i];
  return total;
#endif
}

// out[i] = sum of the lanes of v[i], i = 0..3: together they take a quarter of the steps.
template <class S> S3D_INLINE void sum_lanes_of_four(const Vec<S>* v, S* out) {
#ifdef S3D_AVX512
  if constexpr (sizeof(S) == 4) {
    const auto add = [](__m512 a, __m512 b) { return _mm512_add_ps(_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b)); };
    const __m512d ab = (__m512d)add((__m512)v[0], (__m512)v[1]), cd = (__m512d)add((__m512)v[2], (__m512)v[3]);
    const __m512 abcd = _mm512_add_ps((__m512)_mm512_unpacklo_pd(ab, cd), (__m512)_mm512_unpackhi_pd(ab, cd));
    const __m256 half = _mm256_add_ps(_mm512_castps512_ps256(abcd), _mm512_extractf32x8_ps(abcd, 1));
    _mm_storeu_ps(out, _mm_add_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1)));
    return;
  }
#endif
  for (int i = 0; i < 4; ++i) out[i] = sum_lanes<S>(v[i]);
}

template <class S> S3D_INLINE Vec<S> square_root(Vec<S> v) {
#ifdef S3D_AVX512
  if constexpr (sizeof(S) == 4) return (Vec<S>)_mm512_sqrt_ps((__m512)v);
  else return (Vec<S>)_mm512_sqrt_pd((__m512d)v);
#else
  for (int i = 0; i < kLanes<S>; ++i) v[i] = std::sqrt(v[i]);
  return v;
#endif
}

// 2^x for x in [-126, 126]: minimax polynomial on [-1/2, 1/2], relative error below 1e-7. Outside, the value is arbitrary.
S3D_INLINE Vec<float> exp2_lanes(Vec<float> x) {
  const float magic = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer that stands in the low bits
  const Vec<float> shifted = x + magic;
  const Vec<float> f = x - (shifted - magic);
  Vec<float> p = splat<float>(0x1.5c08e6p-10f);
  p = p * f + 0x1.3d0c54p-7f;
  p = p * f + 0x1.c6b6e4p-5f;
  p = p * f + 0x1.ebf918p-3f;
  p = p * f + 0x1.62e428p-1f;
  p = p * f + 1.0f;
  using U = Simd<float>::U;
  return (Vec<float>)((U)p + ((U)shifted << 23));
}

S3D_INLINE Vec<double> exp2_lanes(Vec<double> x) {
  for (int i = 0; i < kLanes<double>; ++i) x[i] = std::exp2(x[i]);
  return x;
}

// 1 / v, correct to about one unit in the last place.
template <class S> S3D_INLINE Vec<S> reciprocal(Vec<S> v) {
#ifdef S3D_AVX512
  if constexpr (sizeof(S) == 4) {
    const Vec<S> r = (Vec<S>)_mm512_rcp14_ps((__m512)v);
    return r * (S(2) - v * r);
  }
#endif
  return S(1) / v;
}

}  // namespace s3d
