/* SPDX-License-Identifier: Apache-2.0 */
/* A socket whose option memory is used up: BPF cannot attach storage to it any more. */
#ifndef FULL_OPTION_MEMORY_H
#define FULL_OPTION_MEMORY_H

#include "technique.h"

/* Joins groups on the loopback device, where it is announced to nobody, until memory for options is refused. */
SHARED void fill_option_memory(int fd)
{
	struct ipv6_mreq group = {.ipv6mr_interface = 1};
	inet_pton(AF_INET6, "ff01::1:0:0", &group.ipv6mr_multiaddr);
	for (uint32_t i = 0; i < 100000; i++) {
		group.ipv6mr_multiaddr.s6_addr32[3] = htonl(i);
		if (setsockopt(fd, IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, &group, sizeof(group)))
			return;
	}
	cannot("option memory has no end");
}

#endif
