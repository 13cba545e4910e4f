/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Handing a record to the ring, and counting it when that fails. */
#ifndef LANDFAST_EVENT_H
#define LANDFAST_EVENT_H

#define LF_WAKE_EVERY_NS 10000000ULL /* a wake-up per record costs 20 times a wake-up per batch */

/* Who acts: the current task, or for a packet the tagged process that used its socket last. */
struct lf_actor {
	u64 image;
	u64 cgroup_id;
	u64 netns;   /* where the rules of its classes hold; 0: not decided */
	u64 foreign; /* not 0: it uses a socket of another network namespace */
	u32 tgid;
	u32 tid;
	u32 uid;
	u32 is_current;
};

/* The ring's reader polls for a while after each wake-up, so that one in LF_WAKE_EVERY_NS is enough. */
static __always_inline u64 lf_wake_flags(u64 now)
{
	struct lf_control *ctl = lf_control();
	if (!ctl || now - ctl->wake_ns < LF_WAKE_EVERY_NS)
		return BPF_RB_NO_WAKEUP;
	ctl->wake_ns = now;
	return BPF_RB_FORCE_WAKEUP;
}

/* A record with everything that is not about the verdict; NULL, counted, when the ring is full. */
static __always_inline struct lf_event *lf_event_begin(u32 stage, struct lf_actor *actor)
{
	struct lf_event *event = events.ringbuf_reserve(sizeof(struct lf_event));
	lf_count_at(stage, LF_C_DECIDED);
	if (!event) {
		lf_count_at(stage, LF_C_LOST);
		return NULL;
	}
	__builtin_memset(event, 0, sizeof(*event));
	event->time_ns = bpf_ktime_get_boot_ns();
	event->cgroup_id = actor->cgroup_id;
	event->image = actor->image;
	event->tgid = actor->tgid;
	event->tid = actor->tid;
	event->uid = actor->uid;
	event->stage = stage;
	if (actor->is_current)
		bpf_get_current_comm(event->comm, sizeof(event->comm));
	return event;
}

static __always_inline void lf_event_end(struct lf_event *event)
{
	lf_count_at(event->stage, LF_C_SUBMITTED);
	events.ringbuf_submit(event, lf_wake_flags(event->time_ns));
}

#endif
