/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A libxl that agrees to everything, for the rows of the matrix: agree HELPER ARGUMENT... starts a
 * save helper and answers its questions. Prints the texts of its LOG messages. A message is u16
 * length, u16 number, fields; an answer is an int32 (src/helper/save_helper/libxl_pipe.h).
 *
 * Exit status: 0 the helper reported success, 1 it failed or broke off.
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LOG = 1, PROGRESS, SUSPEND, POSTCOPY, CHECKPOINT, RESTORE_RESULTS = 9, COMPLETE };

static uint8_t body[65536];

static int read_all(int fd, void *to, size_t len)
{
	for (size_t at = 0; at < len;) {
		ssize_t n = read(fd, (char *)to + at, len - at);

		if (n <= 0)
			return 0;
		at += (size_t)n;
	}
	return 1;
}

static uint32_t field(size_t at)
{
	uint32_t value = 0;

	if (at + sizeof(value) <= sizeof(body))
		memcpy(&value, body + at, sizeof(value));
	return value;
}

/* Fields of LOG: level, errno, and two texts, each after its size. */
static void print_log(size_t len)
{
	size_t text = 2 + 12 + field(2 + 8);

	if (text + 4 < len && text + 4 + field(text) <= len)
		printf("%.*s\n", (int)field(text), (const char *)body + text + 4);
}

static int answer(int fd, uint16_t number)
{
	int32_t yes = number == SUSPEND || number == POSTCOPY || number == CHECKPOINT;

	if (number == LOG || number == PROGRESS || number == RESTORE_RESULTS)
		return 1;
	return write(fd, &yes, sizeof(yes)) == sizeof(yes);
}

/* The first field of COMPLETE, or 1. */
static int serve(int messages, int answers)
{
	uint16_t len, number;

	while (read_all(messages, &len, sizeof(len)) && len >= sizeof(number) &&
	       read_all(messages, body, len)) {
		memcpy(&number, body, sizeof(number));
		if (number == LOG)
			print_log(len);
		if (!answer(answers, number))
			return 1;
		if (number == COMPLETE)
			return (int)field(2);
	}
	return 1;
}

int main(int argc, char **argv)
{
	int messages[2], answers[2], status, result;

	if (argc < 2 || pipe(messages) < 0 || pipe(answers) < 0)
		return 1;
	pid_t helper = fork();

	if (helper == 0) {
		dup2(answers[0], STDIN_FILENO);
		dup2(messages[1], STDOUT_FILENO);
		for (int i = 0; i < 2; i++) {
			close(messages[i]);
			close(answers[i]);
		}
		execv(argv[1], argv + 1);
		_exit(1);
	}
	close(messages[1]);
	close(answers[0]);
	result = serve(messages[0], answers[1]);
	if (helper < 0 || waitpid(helper, &status, 0) != helper || status != 0)
		return 1;
	return result == 0 ? 0 : 1;
}
