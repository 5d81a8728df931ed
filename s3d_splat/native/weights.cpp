// Who is seen where: the label with the largest rendering weight per pixel (vote), and the weight of every Gaussian on the labels of
// an image (lift). Both walk the tiles like the renderer and never make a channel per label.
#include "tile.h"

#include <memory>
#include <vector>

namespace s3d {
namespace {

// Local numbers 0, 1, 2 ... for the ids that occur in one tile, in order of appearance.
class LocalIds {
 public:
  void clear() {
    std::fill(keys_.begin(), keys_.end(), -1);
    ids_.clear();
  }
  int number_of(int64_t id) {
    if (2 * (ids_.size() + 1) > keys_.size()) grow();
    const size_t at = find(id);
    if (keys_[at] < 0) {
      keys_[at] = int32_t(ids_.size());
      ids_.push_back(id);
    }
    return keys_[at];
  }
  int count() const { return int(ids_.size()); }
  int64_t id(int number) const { return ids_[number]; }

 private:
  size_t find(int64_t id) const {
    size_t at = (uint64_t(id) * 0x9E3779B97F4A7C15ull >> 20) & (keys_.size() - 1);
    while (keys_[at] >= 0 && ids_[keys_[at]] != id) at = (at + 1) & (keys_.size() - 1);
    return at;
  }
  void grow() {
    keys_.assign(std::max<size_t>(64, 2 * keys_.size()), -1);
    for (size_t i = 0; i < ids_.size(); ++i) keys_[find(ids_[i])] = int32_t(i);
  }
  std::vector<int32_t> keys_;  // local number, or -1; a power of two
  std::vector<int64_t> ids_;
};

// ---------------------------------------------------------------------------------------------------------------- vote

template <class S> struct VoteScratch {
  LocalIds ids;
  std::vector<int32_t> number;  // of each entry of the tile
  Buffer<S> sums;               // [local ids, kTilePixels]
};

template <class S>
void vote_tile(const Bins<S>& bins, const Tile<S>& tile, const int64_t* ids, int64_t* winner, S* weight, VoteScratch<S>& scratch) {
  scratch.ids.clear();
  scratch.number.clear();
  for (int64_t e = tile.begin; e < tile.end; ++e) {
    const int64_t id = ids[bins.splats[bins.entries[e].splat].gaussian];
    scratch.number.push_back(id < 0 ? -1 : scratch.ids.number_of(id));
  }
  S* sums = scratch.sums.reserve(size_t(scratch.ids.count()) * kTilePixels + 1);
  std::memset(sums, 0, sizeof(S) * scratch.ids.count() * kTilePixels);
  const auto add = [&](int64_t e, int at, Vec<S> w) {
    const int number = scratch.number[e - tile.begin];
    if (number < 0) return;
    S* sum = sums + int64_t(number) * kTilePixels + at;
    store<S>(sum, load(sum) + w);
  };
  for_each_weight(bins, tile, add, [](int64_t) {});
  for (int row = 0; row < tile.rows; ++row)
    for (int column = 0; column < tile.columns; ++column) {
      S best = 0;
      int64_t best_id = -1;
      for (int i = 0; i < scratch.ids.count(); ++i) {
        const S w = sums[int64_t(i) * kTilePixels + row * kTile + column];
        const int64_t id = scratch.ids.id(i);
        if (w > best || (w == best && w > S(0) && id < best_id)) best = w, best_id = id;
      }
      const int64_t pixel = int64_t(tile.y0 + row) * bins.width + tile.x0 + column;
      winner[pixel] = best_id;
      weight[pixel] = best;
    }
}

// ---------------------------------------------------------------------------------------------------------------- lift

template <class S> struct LabelWeight {
  uint32_t splat;
  int64_t label;
  S weight;
};

template <class S> struct LiftScratch {
  LocalIds labels;
  struct Part {  // the pixels of one segment that carry one label
    int number;
    Mask<S> pixels;
  };
  std::vector<Part> parts;
  int first_part[kSegments<S> + 1];
  std::vector<Vec<S>> sums;  // of the Gaussian at hand, one a label
};

template <class S> void label_parts(const Bins<S>& bins, const Tile<S>& tile, const int64_t* labels, LiftScratch<S>& scratch) {
  scratch.labels.clear();
  scratch.parts.clear();
  for (int segment = 0; segment < kSegments<S>; ++segment) {
    scratch.first_part[segment] = int(scratch.parts.size());
    const int row = segment / kRowSegments<S>, first = segment % kRowSegments<S> * kLanes<S>;
    for (int lane = 0; lane < kLanes<S> && row < tile.rows && first + lane < tile.columns; ++lane) {
      const int64_t label = labels[int64_t(tile.y0 + row) * bins.width + tile.x0 + first + lane];
      if (label < 0) continue;
      const int number = scratch.labels.number_of(label);
      auto part = scratch.parts.begin() + scratch.first_part[segment];
      while (part != scratch.parts.end() && part->number != number) ++part;
      if (part == scratch.parts.end()) part = scratch.parts.insert(part, typename LiftScratch<S>::Part{number, Mask<S>{}});
      part->pixels[lane] = -1;
    }
  }
  scratch.first_part[kSegments<S>] = int(scratch.parts.size());
}

template <class S>
void lift_tile(const Bins<S>& bins, const Tile<S>& tile, const int64_t* labels, std::vector<LabelWeight<S>>& out, LiftScratch<S>& scratch) {
  label_parts(bins, tile, labels, scratch);
  scratch.sums.assign(scratch.labels.count(), Vec<S>{});
  const auto add = [&](int64_t, int at, Vec<S> w) {
    const int segment = at / kLanes<S>;
    for (int i = scratch.first_part[segment]; i < scratch.first_part[segment + 1]; ++i) {
      const auto& part = scratch.parts[i];
      scratch.sums[part.number] += part.pixels ? w : Vec<S>{};
    }
  };
  const auto flush = [&](int64_t e) {
    for (int number = 0; number < scratch.labels.count(); ++number) {
      const S weight = sum_lanes<S>(scratch.sums[number]);
      if (weight > S(0)) out.push_back({bins.entries[e].splat, scratch.labels.id(number), weight});
      scratch.sums[number] = Vec<S>{};
    }
  };
  for_each_weight(bins, tile, add, flush);
}

struct LiftedBase {
  virtual ~LiftedBase() = default;
  int scalar_bytes = 0;
};

template <class S> struct Lifted : LiftedBase {
  Lifted() { scalar_bytes = sizeof(S); }
  std::vector<int64_t> gaussian, label;
  std::vector<S> weight;
};

// Sums over tiles in ascending order of tiles, so that the result does not depend on the threads; then ascending (gaussian, label).
template <class S> void merge(const Bins<S>& bins, const std::vector<std::vector<LabelWeight<S>>>& tiles, Lifted<S>& out) {
  std::vector<int64_t> first(bins.gaussians + 1, 0);
  for (const auto& tile : tiles)
    for (const auto& entry : tile) ++first[bins.splats[entry.splat].gaussian + 1];
  for (int64_t i = 0; i < bins.gaussians; ++i) first[i + 1] += first[i];
  std::vector<LabelWeight<S>> sorted(first[bins.gaussians]);
  std::vector<int64_t> next(first.begin(), first.end() - 1);
  for (const auto& tile : tiles)
    for (const auto& entry : tile) sorted[next[bins.splats[entry.splat].gaussian]++] = entry;
  for (int64_t i = 0; i < bins.gaussians; ++i) {
    std::stable_sort(sorted.begin() + first[i], sorted.begin() + first[i + 1],
                     [](const LabelWeight<S>& a, const LabelWeight<S>& b) { return a.label < b.label; });
    for (int64_t at = first[i]; at < first[i + 1]; ++at) {
      if (at > first[i] && out.label.back() == sorted[at].label) {
        out.weight.back() += sorted[at].weight;
        continue;
      }
      out.gaussian.push_back(i);
      out.label.push_back(sorted[at].label);
      out.weight.push_back(sorted[at].weight);
    }
  }
}

template <class S> int vote(const void* handle, const int64_t* ids, int64_t* winner, S* weight, int threads) {
  auto* base = static_cast<const BinsBase*>(handle);
  if (base->scalar_bytes != sizeof(S)) return kBadArgument;
  const Bins<S>& bins = *static_cast<const Bins<S>*>(base);
  return over_tiles<VoteScratch<S>>(bins.tiles(), threads, [&](int t, VoteScratch<S>& scratch) {
    vote_tile(bins, Tile<S>(bins, t), ids, winner, weight, scratch);
  });
}

template <class S> int lift(const void* handle, const int64_t* labels, void** out, int64_t* size, int threads) {
  auto* base = static_cast<const BinsBase*>(handle);
  if (base->scalar_bytes != sizeof(S)) return kBadArgument;
  const Bins<S>& bins = *static_cast<const Bins<S>*>(base);
  try {
    std::vector<std::vector<LabelWeight<S>>> tiles(bins.tiles());
    const int status = over_tiles<LiftScratch<S>>(bins.tiles(), threads, [&](int t, LiftScratch<S>& scratch) {
      lift_tile(bins, Tile<S>(bins, t), labels, tiles[t], scratch);
    });
    if (status != kOk) return status;
    auto lifted = std::make_unique<Lifted<S>>();
    merge(bins, tiles, *lifted);
    *size = int64_t(lifted->gaussian.size());
    *out = static_cast<LiftedBase*>(lifted.release());
    return kOk;
  } catch (const std::bad_alloc&) {
    return kOutOfMemory;
  }
}

// Copies the result into the caller's arrays and frees it.
template <class S> int take(void* handle, int64_t* gaussian, int64_t* label, S* weight) {
  std::unique_ptr<LiftedBase> base(static_cast<LiftedBase*>(handle));
  if (base->scalar_bytes != sizeof(S)) return kBadArgument;
  const Lifted<S>& lifted = *static_cast<const Lifted<S>*>(base.get());
  std::copy(lifted.gaussian.begin(), lifted.gaussian.end(), gaussian);
  std::copy(lifted.label.begin(), lifted.label.end(), label);
  std::copy(lifted.weight.begin(), lifted.weight.end(), weight);
  return kOk;
}

}  // namespace
}  // namespace s3d

#define S3D_DEFINE_WEIGHTS(S, SUFFIX)                                                                                              \
  extern "C" int s3d_vote_##SUFFIX(const void* bins, const int64_t* ids, int64_t* winner, S* weight, int threads) {                \
    return s3d::vote<S>(bins, ids, winner, weight, threads);                                                                       \
  }                                                                                                                                \
  extern "C" int s3d_lift_##SUFFIX(const void* bins, const int64_t* labels, void** out, int64_t* size, int threads) {              \
    return s3d::lift<S>(bins, labels, out, size, threads);                                                                         \
  }                                                                                                                                \
  extern "C" int s3d_lift_take_##SUFFIX(void* lifted, int64_t* gaussian, int64_t* label, S* weight) {                              \
    return s3d::take<S>(lifted, gaussian, label, weight);                                                                          \
  }

S3D_DEFINE_WEIGHTS(float, f32)
S3D_DEFINE_WEIGHTS(double, f64)
