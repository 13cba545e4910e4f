/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Flows: what a tagged socket has sent and received, in intervals without a gap. */
#ifndef LANDFAST_FLOW_H
#define LANDFAST_FLOW_H

/* Ends the interval and records it, if anything has passed. */
static __always_inline void lf_flow_record(struct lf_sock *sock, u64 cookie)
{
	struct lf_flow *flow = &sock->flow, was;
	struct lf_actor actor = {};
	struct lf_event *event;
	u64 now = bpf_ktime_get_boot_ns(), tags;

	bpf_spin_lock(&sock->lock);
	__builtin_memcpy(&was, flow, sizeof(was));
	__builtin_memset(flow, 0, sizeof(*flow));
	flow->since_ns = now;
	actor.image = sock->image;
	actor.tgid = sock->tgid;
	actor.uid = sock->uid;
	tags = sock->tags;
	bpf_spin_unlock(&sock->lock);
	if (!was.packets_out && !was.packets_in)
		return;
	event = lf_event_begin(LF_S_FLOW, &actor);
	if (!event)
		return;
	event->time_ns = now;
	event->detail = was.since_ns;
	event->bytes_out = was.bytes_out;
	event->bytes_in = was.bytes_in;
	event->tid = was.packets_out;
	event->ifindex = was.packets_in;
	event->tags = tags;
	event->cookie = cookie;
	event->version = was.version;
	event->verdict = was.verdict;
	event->reason = was.reason;
	event->protocol = was.protocol;
	event->family = was.family;
	event->flags = was.flags;
	event->local_port = was.local_port;
	if (!was.several) {
		event->rule = was.rule;
		event->remote_port = was.remote_port;
		__builtin_memcpy(event->remote, was.remote, 16);
	}
	lf_event_end(event);
}

/* Who is at the other end. To be called with the lock held. */
static __always_inline void lf_flow_begin(struct lf_flow *flow, struct lf_question *q, u8 family, u8 verdict)
{
	u64 *to = (u64 *)flow->remote, *from = (u64 *)q->remote;

	to[0] = from[0];
	to[1] = from[1];
	flow->remote_port = q->remote_port;
	flow->local_port = q->local_port;
	flow->protocol = q->protocol;
	flow->family = family;
	flow->flags = q->local ? LF_E_LOCAL : 0;
	flow->verdict = verdict;
}

/* Who decided on the packets that leave, and why. To be called with the lock held. */
static __always_inline void lf_flow_decided(struct lf_sock *sock, u8 verdict)
{
	struct lf_flow *flow = &sock->flow;

	if (sock->serving)
		flow->flags |= LF_E_SERVING;
	if (verdict == LF_WOULD_DENY)
		flow->verdict = verdict;
	flow->reason = sock->reason;
	flow->rule = sock->rule;
	flow->version = sock->version;
}

/* Counts a packet that egress lets pass, where lf_cached has not. */
static __always_inline void lf_flow_sent(struct __sk_buff *skb, struct lf_sock *sock, struct lf_question *q,
                                         struct lf_passed *passed, u8 verdict)
{
	struct lf_flow *flow = &sock->flow;
	bool looks = lf_flow_looks(flow);
	bool turns = lf_flow_turns(flow, q);
	u64 now = 0, since = flow->since_ns;

	if (!since || turns || looks)
		now = bpf_ktime_get_boot_ns();
	if (since && ((turns && now - since >= LF_TURN_NS) || (looks && now - since >= LF_FLOW_NS)))
		lf_flow_record(sock, bpf_get_socket_cookie(skb));
	else if (turns)
		flow->several = 1;
	bpf_spin_lock(&sock->lock);
	if (!flow->since_ns)
		flow->since_ns = now;
	if (!flow->protocol)
		lf_flow_begin(flow, q, passed->family, verdict);
	lf_flow_decided(sock, verdict);
	flow->bytes_out += passed->bytes;
	flow->packets_out += passed->packets;
	flow->ticks++;
	bpf_spin_unlock(&sock->lock);
}

/* Counts a packet that came in. `q` is asked as if it were to be answered. */
static __always_inline void lf_flow_received(struct lf_sock *sock, struct lf_question *q, struct lf_passed *passed)
{
	struct lf_flow *flow = &sock->flow;
	u64 now = flow->since_ns ? 0 : bpf_ktime_get_boot_ns();

	bpf_spin_lock(&sock->lock);
	if (!flow->since_ns)
		flow->since_ns = now;
	if (!flow->protocol)
		lf_flow_begin(flow, q, passed->family, LF_ALLOW);
	else if (lf_flow_turns(flow, q))
		flow->several = 1;
	flow->bytes_in += passed->bytes;
	flow->packets_in += passed->packets;
	bpf_spin_unlock(&sock->lock);
}

#endif
