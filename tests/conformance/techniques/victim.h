/* SPDX-License-Identifier: Apache-2.0 */
/* The untagged processes that the helper `victim` is: they send what they find in their memory. */
#ifndef VICTIM_H
#define VICTIM_H

#include "technique.h"

enum { NOBODY = 65534 };

struct victim {
	int pid;
	unsigned long memory;
	int socket;
};

/* Root's, or nobody's: then this process becomes nobody as well, and needs no capability. */
SHARED struct victim victim(int as_nobody)
{
	struct victim found;
	FILE *facts = fopen(helper_file("facts"), "r");
	for (int i = 0; i <= as_nobody; i++)
		must(facts && fscanf(facts, "%d %lu %d", &found.pid, &found.memory, &found.socket) == 3 ? 0 : -1,
		     "facts");
	if (as_nobody) {
		must(setgid(NOBODY), "setgid");
		must(setuid(NOBODY), "setuid");
	}
	return found;
}

#endif
