#ifndef CCRC32_H
#define CCRC32_H

#include <stddef.h>
#include <stdint.h>

// Goes on with gzip's CRC-32 (not inverted) over as many of the bytes as the processor's own instructions can take, and
// returns how many that were: none, where it has none.
size_t ccrc32_update(uint32_t *crc, const unsigned char *bytes, size_t count);

#endif
