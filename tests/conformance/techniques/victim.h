/* SPDX-License-Identifier: Apache-2.0 */
/* The untagged process that the helper `victim` is: it sends what it finds in its memory. */
#ifndef VICTIM_H
#define VICTIM_H

#include "technique.h"

struct victim {
	int pid;
	unsigned long memory;
};

SHARED struct victim victim(void)
{
	struct victim found;
	FILE *facts = fopen(helper_file("facts"), "r");
	must(facts && fscanf(facts, "%d %lu", &found.pid, &found.memory) == 2 ? 0 : -1, "the helper's facts");
	return found;
}

#endif
