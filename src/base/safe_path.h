/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Paths that may lead through folders of other users. Every file that a caller or a setting names
 * is opened through this file, so that what others have put into a shared folder (/tmp) decides
 * nothing, whatever the sysctls fs.protected_* say.
 */
#ifndef GW_BASE_SAFE_PATH_H
#define GW_BASE_SAFE_PATH_H

#include <stdbool.h>
#include <sys/stat.h>

#include <godwit/error.h>

/*
 * The last component of a path, and its open folder. A folder is shared if others may create files
 * in it, or if it belongs to another user and lies in a shared folder. An owner is trusted if it is
 * root or the user of this process (the effective one).
 */
struct gw_safe_path {
	int dir;     /* the folder, opened with O_PATH; -1: none */
	char *name;  /* in that folder; owned */
	bool shared; /* the folder is */
	/* The first folder on the way in which another user could replace what the path leads to;
	 * empty: none. (In a sticky one only owners can.) */
	char loose[256];
	bool is_magic; /* a link of /proc to an open file: only the kernel can follow it */
	bool exists;
	struct stat st; /* of the file, if it exists */
};

#define GW_SAFE_PATH_NONE                                                                          \
	{                                                                                          \
		.dir = -1                                                                          \
	}

enum gw_safe_last {
	GW_SAFE_FOLLOW, /* a symbolic link at the end of the path is followed */
	GW_SAFE_STAY,	/* it is the file itself */
};

/* What a file is opened for. */
enum gw_safe_use {
	GW_SAFE_DATA,	 /* its bytes are checked, or it is replaced: any regular file will do */
	GW_SAFE_PRIVATE, /* its bytes are believed, or bytes are added to it */
};

bool gw_safe_owner(uid_t uid);

/*
 * Walks path. A symbolic link in a shared folder that belongs to no trusted owner is refused
 * (GW_SYSTEM, EACCES). A missing last component is no error. Returns 0, or -1 with err; the caller
 * closes p in both cases.
 */
int gw_safe_path_walk(struct gw_safe_path *p, const char *path, enum gw_safe_last last,
		      struct gw_error *err);
void gw_safe_path_close(struct gw_safe_path *p);

/*
 * Refuses what exists in a shared folder without a trusted owner: FIFOs, sockets, devices, files
 * with several names, and for GW_SAFE_PRIVATE every file. GW_SAFE_PRIVATE refuses each file with
 * several names there. path is for the message. 0 or -1.
 */
int gw_safe_path_check(const struct gw_safe_path *p, const char *path, enum gw_safe_use use,
		       struct gw_error *err);

/*
 * Opens the file that was walked to, and no other that has its name by now. With O_CREAT a file
 * that did not exist is created, never an existing one opened. O_CLOEXEC and O_NOCTTY are added.
 * Returns the descriptor, or -1 with errno and err ("opening PATH: ...").
 */
int gw_safe_path_open(const struct gw_safe_path *p, const char *path, int flags, mode_t mode,
		      struct gw_error *err);

/*
 * Opens a regular file in an open folder: no symbolic link, and no FIFO or device, whose opening
 * could wait for ever. path is for messages. Returns the descriptor, or -1 with errno and err.
 */
int gw_safe_open_regular(int dir, const char *name, const char *path, int flags, mode_t mode,
			 struct gw_error *err);
/* Fails unless fd is a regular file or /dev/null. */
int gw_safe_check_regular(int fd, const char *path, struct gw_error *err);

/* Walk, check and open in one. */
int gw_safe_open(const char *path, int flags, mode_t mode, enum gw_safe_use use,
		 struct gw_error *err);

#endif
