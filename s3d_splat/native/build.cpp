// What the loader asks before it calls anything: data only, so that reading it is safe on any processor.
#include "simd.h"

extern "C" {

extern const int s3d_interface_version = 3;

#if defined(S3D_AVX512)
extern const char s3d_instruction_set[] = "avx512f avx512dq avx512bw avx512vl";
#elif defined(__AVX2__)
extern const char s3d_instruction_set[] = "avx2 fma";
#else
extern const char s3d_instruction_set[] = "";
#endif
}
