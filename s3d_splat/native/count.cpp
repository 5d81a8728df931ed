// What the compositing loops have to do on given lists: for benchmarks, which divide it by the time taken.
#include "channels.h"

namespace s3d {
namespace {

template <class S> S3D_INLINE int lanes_set(Mask<S> m) {
  int found = 0;
  for (int i = 0; i < kLanes<S>; ++i) found += m[i] != 0;
  return found;
}

struct NoScratch {};

// `contributing`: pairs of Gaussian and pixel with a weight. `walked`: pairs that the backward pass computes, vectors being whole; the
// forward pass computes at most these, since it also leaves rows of pixels that are closed.
template <class S> int count(const void* handle, int64_t* contributing, int64_t* walked, int threads) {
  auto* base = static_cast<const BinsBase*>(handle);
  if (base->scalar_bytes != sizeof(S)) return kBadArgument;
  const Bins<S>& bins = *static_cast<const Bins<S>*>(base);
  std::atomic<int64_t> all_weights{0}, all_lanes{0};
  const int status = over_tiles<NoScratch>(bins.tiles(), threads, [&](int t, NoScratch&) {
    int64_t weights = 0, lanes = 0;
    const auto add = [&](int64_t, int, Vec<S> w) {
      weights += lanes_set<S>(w > S(0));
      lanes += kLanes<S>;
    };
    for_each_weight(bins, Tile<S>(bins, t), add, [](int64_t) {});
    all_weights += weights;
    all_lanes += lanes;
  });
  *contributing = all_weights;
  *walked = all_lanes;
  return status;
}

}  // namespace
}  // namespace s3d

extern "C" int s3d_count_f32(const void* bins, int64_t* contributing, int64_t* walked, int threads) {
  return s3d::count<float>(bins, contributing, walked, threads);
}
extern "C" int s3d_count_f64(const void* bins, int64_t* contributing, int64_t* walked, int threads) {
  return s3d::count<double>(bins, contributing, walked, threads);
}
