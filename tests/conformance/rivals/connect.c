/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* An allowlist at connect and sendmsg, as many tools have it. Loopback is allowed. */
#include <uapi/linux/bpf.h>

static __always_inline int allowed4(u32 address)
{
	return address == APPROVED4 || (address & bpf_htonl(0xff000000)) == bpf_htonl(0x7f000000);
}

static __always_inline int allowed6(u32 a, u32 b, u32 c, u32 d)
{
	if (!a && !b && c == bpf_htonl(0xffff))
		return allowed4(d);
	if (!a && !b && !c && d == bpf_htonl(1))
		return 1;
	return a == APPROVED6_A && b == APPROVED6_B && c == APPROVED6_C && d == APPROVED6_D;
}

int connect4(struct bpf_sock_addr *ctx)
{
	return allowed4(ctx->user_ip4);
}

int connect6(struct bpf_sock_addr *ctx)
{
	return allowed6(ctx->user_ip6[0], ctx->user_ip6[1], ctx->user_ip6[2], ctx->user_ip6[3]);
}

int sendmsg4(struct bpf_sock_addr *ctx)
{
	return allowed4(ctx->user_ip4);
}

int sendmsg6(struct bpf_sock_addr *ctx)
{
	return allowed6(ctx->user_ip6[0], ctx->user_ip6[1], ctx->user_ip6[2], ctx->user_ip6[3]);
}
