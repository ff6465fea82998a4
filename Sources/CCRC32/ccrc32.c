#include "ccrc32.h"

// Swift has no name for these instructions; with a table the checksum costs as much as SHA-256 does, with them a tenth.

#if defined(__x86_64__)

#include <emmintrin.h>
#include <smmintrin.h>
#include <wmmintrin.h>

// x1 * k, both halves, and what comes next: one step of folding.
#define FOLD(x, k, next) \
    _mm_xor_si128(_mm_xor_si128(_mm_clmulepi64_si128(x, k, 0x00), _mm_clmulepi64_si128(x, k, 0x11)), next)
#define LOAD(at) _mm_loadu_si128((const __m128i *)(at))

// V. Gopal and others, "Fast CRC Computation for Generic Polynomials Using PCLMULQDQ Instruction", Intel 2009; the constants
// are those of its end for this polynomial, bits reversed.
__attribute__((target("pclmul,sse4.1")))
static size_t update(uint32_t *crc, const unsigned char *bytes, size_t count) {
    const __m128i by512 = _mm_set_epi64x(0x01c6e41596, 0x0154442bd4);
    const __m128i by128 = _mm_set_epi64x(0x00ccaa009e, 0x01751997d0);
    const __m128i by64 = _mm_set_epi64x(0, 0x0163cd6124);
    const __m128i poly = _mm_set_epi64x(0x01f7011641, 0x01db710641);
    const __m128i low = _mm_setr_epi32(~0, 0, ~0, 0);
    const unsigned char *at = bytes;
    if (count < 64) return 0;

    __m128i a = _mm_xor_si128(LOAD(at), _mm_cvtsi32_si128((int)*crc));
    __m128i b = LOAD(at + 16), c = LOAD(at + 32), d = LOAD(at + 48);
    for (at += 64, count -= 64; count >= 64; at += 64, count -= 64) {
        a = FOLD(a, by512, LOAD(at));
        b = FOLD(b, by512, LOAD(at + 16));
        c = FOLD(c, by512, LOAD(at + 32));
        d = FOLD(d, by512, LOAD(at + 48));
    }
    a = FOLD(a, by128, b);
    a = FOLD(a, by128, c);
    a = FOLD(a, by128, d);
    for (; count >= 16; at += 16, count -= 16) a = FOLD(a, by128, LOAD(at));

    a = _mm_xor_si128(_mm_srli_si128(a, 8), _mm_clmulepi64_si128(a, by128, 0x10));
    a = _mm_xor_si128(_mm_srli_si128(a, 4), _mm_clmulepi64_si128(_mm_and_si128(a, low), by64, 0x00));
    b = _mm_and_si128(_mm_clmulepi64_si128(_mm_and_si128(a, low), poly, 0x10), low);
    a = _mm_xor_si128(a, _mm_clmulepi64_si128(b, poly, 0x00));
    *crc = (uint32_t)_mm_extract_epi32(a, 1);
    return (size_t)(at - bytes);
}

size_t ccrc32_update(uint32_t *crc, const unsigned char *bytes, size_t count) {
    if (!__builtin_cpu_supports("pclmul") || !__builtin_cpu_supports("sse4.1")) return 0;
    return update(crc, bytes, count);
}

#elif defined(__aarch64__) && defined(__ARM_FEATURE_CRC32)

#include <arm_acle.h>
#include <string.h>

size_t ccrc32_update(uint32_t *crc, const unsigned char *bytes, size_t count) {
    uint32_t value = *crc;
    size_t done = 0;
    for (; done + 8 <= count; done += 8) {
        uint64_t word;
        memcpy(&word, bytes + done, 8);
        value = __crc32d(value, word);
    }
    *crc = value;
    return done;
}

#else

size_t ccrc32_update(uint32_t *crc, const unsigned char *bytes, size_t count) {
    (void)crc; (void)bytes; (void)count;
    return 0;
}

#endif
