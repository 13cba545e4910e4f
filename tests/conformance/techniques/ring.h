/* SPDX-License-Identifier: Apache-2.0 */
/* The least of io_uring that a technique needs. */
#ifndef RING_H
#define RING_H

#include "technique.h"
#include <linux/io_uring.h>

struct ring {
	int fd;
	struct io_uring_params params;
	unsigned char *queues;
	struct io_uring_sqe *entries;
	unsigned prepared;
};

SHARED struct ring ring_map(int fd, struct io_uring_params params)
{
	size_t entries = params.cq_off.cqes + params.cq_entries * sizeof(struct io_uring_cqe);
	size_t array = params.sq_off.array + params.sq_entries * sizeof(unsigned);
	struct ring ring = {.fd = fd, .params = params};
	ring.queues = must_map(mmap(NULL, entries > array ? entries : array, PROT_READ | PROT_WRITE,
	                            MAP_SHARED | MAP_POPULATE, fd, IORING_OFF_SQ_RING),
	                       "map the ring");
	ring.entries = must_map(mmap(NULL, params.sq_entries * sizeof(struct io_uring_sqe), PROT_READ | PROT_WRITE,
	                             MAP_SHARED | MAP_POPULATE, fd, IORING_OFF_SQES),
	                        "map the entries");
	return ring;
}

SHARED struct ring ring_made(unsigned flags)
{
	struct io_uring_params params = {.flags = flags, .sq_thread_idle = 10000};
	return ring_map(must(syscall(SYS_io_uring_setup, 8, &params), "io_uring_setup"), params);
}

/* The next entry, to be filled in; `ring_submit` hands all of them over. */
SHARED struct io_uring_sqe *ring_entry(struct ring *ring, int op, int fd)
{
	unsigned *tail = (unsigned *)(ring->queues + ring->params.sq_off.tail);
	unsigned *array = (unsigned *)(ring->queues + ring->params.sq_off.array);
	unsigned at = (*tail + ring->prepared++) & (ring->params.sq_entries - 1);
	array[at] = at;
	memset(&ring->entries[at], 0, sizeof(ring->entries[at]));
	ring->entries[at].opcode = op;
	ring->entries[at].fd = fd;
	return &ring->entries[at];
}

SHARED struct io_uring_sqe *ring_send(struct ring *ring, int fd)
{
	struct io_uring_sqe *entry = ring_entry(ring, IORING_OP_SEND, fd);
	entry->addr = (uintptr_t)mark();
	entry->len = strlen(mark());
	return entry;
}

SHARED void ring_enter(struct ring *ring, unsigned submitted, unsigned wanted)
{
	unsigned flags =
		IORING_ENTER_GETEVENTS | (ring->params.flags & IORING_SETUP_SQPOLL ? IORING_ENTER_SQ_WAKEUP : 0);
	must(syscall(SYS_io_uring_enter, ring->fd, submitted, wanted, flags, NULL, 0), "io_uring_enter");
}

/* Results in the order in which they came; each must be a success. */
SHARED void ring_check(struct ring *ring, unsigned count)
{
	unsigned *head = (unsigned *)(ring->queues + ring->params.cq_off.head);
	struct io_uring_cqe *results = (struct io_uring_cqe *)(ring->queues + ring->params.cq_off.cqes);
	for (unsigned i = 0; i < count; i++) {
		int result = results[*head & (ring->params.cq_entries - 1)].res;
		errno = result < 0 ? -result : 0;
		must(result, "an operation of io_uring");
		__atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
	}
}

SHARED unsigned ring_publish(struct ring *ring)
{
	unsigned *tail = (unsigned *)(ring->queues + ring->params.sq_off.tail), count = ring->prepared;
	__atomic_store_n(tail, *tail + count, __ATOMIC_RELEASE);
	ring->prepared = 0;
	return count;
}

/* Hands over what was prepared, and waits until all of it is done. */
SHARED void ring_submit(struct ring *ring)
{
	unsigned count = ring_publish(ring);
	ring_enter(ring, count, count);
	ring_check(ring, count);
}

#endif
