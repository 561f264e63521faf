/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Standard input, output and error of a program that may have been started without them.
 */
#ifndef GW_BASE_STANDARD_H
#define GW_BASE_STANDARD_H

/*
 * Occupies those of the descriptors 0, 1 and 2 that are closed; the first call of every main().
 * Else a file or eventfd of the program's own would get such a number, and be read as the input or
 * get the output. What is put there fails each read and write, as a closed descriptor would, so
 * that a missing input is no empty one. Without /dev/null the program ends with this status.
 */
void gw_standard_occupy(int status);

#endif
