/* SPDX-License-Identifier: Apache-2.0 */
/* Frames that BPF_PROG_TEST_RUN makes, as if they had been received. */
#ifndef LIVE_FRAMES_H
#define LIVE_FRAMES_H

#include "packets.h"
#include "bpf.h"

/* From a neighbour, to this machine's hardware address: what a router forwards. */
SHARED struct frame received(void)
{
	struct frame frame = ethernet(ETH_P_IP);
	struct in_addr neighbour;
	inet_pton(AF_INET, "192.0.2.2", &neighbour);
	own_mac(((struct ethhdr *)frame.bytes)->h_dest);
	frame.size += udp_packet(frame.bytes + frame.size, neighbour, to4("TARGET4"));
	return frame;
}

SHARED int live_program(void)
{
	struct bpf_insn code[] = {RETURN(XDP_PASS)};
	return bpf_program(BPF_PROG_TYPE_XDP, 0, code, COUNT(code));
}

SHARED void live_run(int program)
{
	struct frame frame = received();
	struct xdp_md context = {.data_end = frame.size, .ingress_ifindex = number("IFINDEX")};
	union bpf_attr attr = {0};
	attr.test.prog_fd = program;
	attr.test.data_in = (uintptr_t)frame.bytes;
	attr.test.data_size_in = frame.size;
	attr.test.ctx_in = (uintptr_t)&context;
	attr.test.ctx_size_in = sizeof(context);
	attr.test.repeat = 2;
	attr.test.flags = BPF_F_TEST_XDP_LIVE_FRAMES;
	must(bpf(BPF_PROG_TEST_RUN, attr), "BPF_PROG_TEST_RUN");
	usleep(100000);
}

#endif
