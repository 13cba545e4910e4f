/* SPDX-License-Identifier: Apache-2.0 */
/* An AF_XDP socket in copy mode with one frame. */
#ifndef XDP_H
#define XDP_H

#include "packets.h"
#include <linux/if_xdp.h>

enum { XDP_SLOTS = 2, XDP_ROOM = 4096 };

struct xdp {
	int fd;
	unsigned char *frames, *queue;
	struct xdp_mmap_offsets at;
};

SHARED struct xdp xdp_made(void)
{
	struct xdp made = {.fd = must(socket(AF_XDP, SOCK_RAW, 0), "socket(AF_XDP)")};
	int slots = XDP_SLOTS, rings[] = {XDP_UMEM_FILL_RING, XDP_UMEM_COMPLETION_RING, XDP_TX_RING};
	made.frames = must_map(
		mmap(NULL, XDP_ROOM * XDP_SLOTS, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), "frames");
	struct xdp_umem_reg memory = {
		.addr = (uintptr_t)made.frames, .len = XDP_ROOM * XDP_SLOTS, .chunk_size = XDP_ROOM};
	must(setsockopt(made.fd, SOL_XDP, XDP_UMEM_REG, &memory, sizeof(memory)), "XDP_UMEM_REG");
	for (int i = 0; i < 3; i++)
		must(setsockopt(made.fd, SOL_XDP, rings[i], &slots, sizeof(slots)), "a ring of AF_XDP");
	socklen_t size = sizeof(made.at);
	must(getsockopt(made.fd, SOL_XDP, XDP_MMAP_OFFSETS, &made.at, &size), "XDP_MMAP_OFFSETS");
	made.queue = must_map(mmap(NULL, made.at.tx.desc + XDP_SLOTS * sizeof(struct xdp_desc), PROT_READ | PROT_WRITE,
	                           MAP_SHARED | MAP_POPULATE, made.fd, XDP_PGOFF_TX_RING),
	                      "map the queue");
	struct sockaddr_xdp where = {.sxdp_family = AF_XDP, .sxdp_ifindex = number("IFINDEX"), .sxdp_flags = XDP_COPY};
	for (int i = 0; i < 200 && bind(made.fd, (struct sockaddr *)&where, sizeof(where)); i++) {
		must(errno == EBUSY ? 0 : -1, "bind"); /* each queue of a device has one such socket */
		usleep(10000);
	}
	return made;
}

SHARED void xdp_fill(struct xdp xdp, struct frame frame)
{
	memcpy(xdp.frames, frame.bytes, frame.size);
	*(struct xdp_desc *)(xdp.queue + xdp.at.tx.desc) = (struct xdp_desc){.addr = 0, .len = frame.size};
	__atomic_store_n((unsigned *)(xdp.queue + xdp.at.tx.producer), 1, __ATOMIC_RELEASE);
}

#endif
