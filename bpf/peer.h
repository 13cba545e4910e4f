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

#define LF_IPV4_MULTICAST          0xe0000000U /* and what comes after it, up to 255.255.255.255 */
#define LF_IPV4_LOOPBACK_BROADCAST 0x7fffffffU
#define LF_RTN_BROADCAST           3 /* uapi/linux/rtnetlink.h */

/* An address that several sockets receive from alike: no one of them stands for the others. */
static __always_inline bool lf_is_for_many(const u8 *address)
{
	u32 ipv4 = bpf_ntohl(((u32 *)address)[3]);

	if (!lf_is_ipv4(address))
		return address[0] == 0xff;
	return ipv4 >= LF_IPV4_MULTICAST || ipv4 == LF_IPV4_LOOPBACK_BROADCAST;
}

/* Any other address may be a broadcast as well, if somebody has given the device such a network: its route tells. */
static __always_inline bool lf_is_broadcast(struct __sk_buff *skb, struct lf_question *q)
{
	u64 route = lf_field(lf_address_of(skb), LF_SKB_DST) & ~1ULL; /* the lowest bit tells who counts references */

	return lf_is_ipv4(q->remote) && lf_field16(route, LF_RTABLE_TYPE) == LF_RTN_BROADCAST;
}

/* Whether a program picks the receiver among those that share the port: a lookup, without a packet, does not run it. */
static __always_inline bool lf_is_picked_by_program(struct bpf_sock *sk)
{
	u64 group = lf_field(lf_address_of(sk), LF_SOCK_REUSEPORT);

	return group && lf_field(group, LF_REUSEPORT_PROG);
}

/*
 * Tags of the local socket that would receive a packet to q's remote; 0 when it has none, when nobody listens, and when
 * it may be another one.
 */
static __always_inline u64 lf_peer_tags(void *ctx, struct lf_question *q, const u8 *saddr)
{
	struct bpf_sock_tuple tuple = {};
	struct bpf_sock *peer;
	struct lf_sock *theirs;
	u32 size = lf_tuple(&tuple, q, saddr);
	u64 tags = 0;

	if (lf_is_for_many(q->remote))
		return 0;
	if (q->protocol == LF_PROTO_TCP)
		peer = bpf_sk_lookup_tcp(ctx, &tuple, size, BPF_F_CURRENT_NETNS, 0);
	else
		peer = bpf_sk_lookup_udp(ctx, &tuple, size, BPF_F_CURRENT_NETNS, 0);
	if (!peer)
		return 0;
	theirs = sockets.sk_storage_get(peer, 0, 0);
	if (theirs && !lf_is_picked_by_program(peer))
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
