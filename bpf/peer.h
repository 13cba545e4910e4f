/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Who is at the other end: the local socket that would receive, and UDP peers that were heard from. */
#ifndef LANDFAST_PEER_H
#define LANDFAST_PEER_H

/* The addresses of a packet from (saddr, local_port) to q's remote, as the receiving side looks it up. */
static __always_inline u32 lf_tuple(struct bpf_sock_tuple *tuple, struct lf_question *q, const u8 *saddr)
{
	u8 unspecified[16] = {};
	u32 *remote = (u32 *)q->remote;

	if (!lf_is_ipv4(q->remote)) {
		if (remote[0] | remote[1] | remote[2] | remote[3])
			__builtin_memcpy(tuple->ipv6.daddr, q->remote, 16);
		else
			tuple->ipv6.daddr[3] = bpf_htonl(1);
		__builtin_memcpy(tuple->ipv6.saddr, saddr ? saddr : unspecified, 16);
		tuple->ipv6.sport = bpf_htons(q->local_port);
		tuple->ipv6.dport = bpf_htons(q->remote_port);
		return sizeof(tuple->ipv6);
	}
	tuple->ipv4.daddr = remote[3] ? remote[3] : bpf_htonl(0x7f000001);
	tuple->ipv4.saddr = saddr ? ((u32 *)saddr)[3] : 0;
	tuple->ipv4.sport = bpf_htons(q->local_port);
	tuple->ipv4.dport = bpf_htons(q->remote_port);
	return sizeof(tuple->ipv4);
}

/* Tags of the local socket that would receive a packet to q's remote; 0 when it has none, or nobody listens. */
static __always_inline u64 lf_peer_tags(void *ctx, struct lf_question *q, const u8 *saddr)
{
	struct bpf_sock_tuple tuple = {};
	struct bpf_sock *peer;
	struct lf_sock *theirs;
	u32 size = lf_tuple(&tuple, q, saddr);
	u64 tags = 0;

	if (q->protocol == LF_PROTO_TCP)
		peer = bpf_sk_lookup_tcp(ctx, &tuple, size, BPF_F_CURRENT_NETNS, 0);
	else
		peer = bpf_sk_lookup_udp(ctx, &tuple, size, BPF_F_CURRENT_NETNS, 0);
	if (!peer)
		return 0;
	theirs = sockets.sk_storage_get(peer, 0, 0);
	if (theirs)
		tags = theirs->tags;
	bpf_sk_release(peer);
	return tags;
}

/* Has this UDP socket received anything from there? */
static __always_inline u8 lf_has_heard(u64 cookie, struct lf_question *q)
{
	struct lf_heard_key key = {.cookie = cookie, .remote_port = q->remote_port};

	__builtin_memcpy(key.remote, q->remote, 16);
	return heard.lookup(&key) != NULL;
}

#endif
