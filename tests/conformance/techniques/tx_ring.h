/* SPDX-License-Identifier: Apache-2.0 */
/* A transmit ring of AF_PACKET, shared with the kernel. */
#ifndef TX_RING_H
#define TX_RING_H

#include "packets.h"
#include <linux/if_packet.h>

struct tx_ring {
	int fd;
	struct tpacket2_hdr *slot;
};

SHARED struct tx_ring tx_ring_made(void)
{
	struct tpacket_req shape = {.tp_block_size = 4096, .tp_block_nr = 1, .tp_frame_size = 2048, .tp_frame_nr = 2};
	struct sockaddr_ll at = {.sll_family = AF_PACKET, .sll_ifindex = number("IFINDEX")};
	int version = TPACKET_V2, fd = must(socket(AF_PACKET, SOCK_RAW, 0), "socket(AF_PACKET)");
	must(setsockopt(fd, SOL_PACKET, PACKET_VERSION, &version, sizeof(version)), "PACKET_VERSION");
	must(setsockopt(fd, SOL_PACKET, PACKET_TX_RING, &shape, sizeof(shape)), "PACKET_TX_RING");
	must(bind(fd, (struct sockaddr *)&at, sizeof(at)), "bind");
	return (struct tx_ring){fd, must_map(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), "mmap")};
}

SHARED void tx_ring_send(struct tx_ring ring, struct frame frame)
{
	size_t header = TPACKET2_HDRLEN - sizeof(struct sockaddr_ll);
	memcpy((unsigned char *)ring.slot + header, frame.bytes, frame.size);
	ring.slot->tp_len = frame.size;
	__atomic_store_n(&ring.slot->tp_status, TP_STATUS_SEND_REQUEST, __ATOMIC_RELEASE);
	must(send(ring.fd, NULL, 0, 0), "send");
}

#endif
