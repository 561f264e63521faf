/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Shared by the fuzz targets and the mutation tests: passes hostile bytes through a layer's reader,
 * its rules and every decoder, as verify and inspect do.
 */
#ifndef GW_FUZZ_DRIVE_H
#define GW_FUZZ_DRIVE_H

#include <stddef.h>
#include <stdint.h>

struct drive_result {
	size_t consumed;	   /* bytes of the input that were read */
	unsigned errors, warnings; /* findings of these levels */
	size_t most_memory;	   /* most bytes that a reader held at once */
	char first_error[600];	   /* "" if there was none */
};

/* Each reads the bytes as its layer, with the layers inside. */
void drive_image(const uint8_t *data, size_t len, struct drive_result *result);
void drive_stream(const uint8_t *data, size_t len, struct drive_result *result);
void drive_xlfile(const uint8_t *data, size_t len, struct drive_result *result);
void drive_xend(const uint8_t *data, size_t len, struct drive_result *result);
void drive_legacy(const uint8_t *data, size_t len, struct drive_result *result);

/* A legacy image inside another layer: adds to the result except consumed, which is returned. */
size_t drive_legacy_at(const uint8_t *data, size_t len, struct drive_result *result);

#endif
