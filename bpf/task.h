/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Who carries which tags: thread groups and selected cgroups. */
#ifndef LANDFAST_TASK_H
#define LANDFAST_TASK_H

#define LF_SIGKILL 9

/* An array read instead of a search for most of those who carry nothing. */
static __always_inline bool lf_maybe_tagged(u32 tgid)
{
	u32 slot = tgid % LF_FILTER, *set = maybe_tagged.lookup(&slot);

	return set && *set;
}

static __always_inline struct lf_task *lf_task_of(u32 tgid)
{
	struct lf_control *ctl = lf_control();
	struct lf_task *task;

	if (!lf_maybe_tagged(tgid))
		return NULL;
	task = tasks.lookup(&tgid);

	if (!task && ctl && ctl->reserve_used)
		task = task_reserve.lookup(&tgid);
	return task;
}

/* Remembers a thread group; the reserve is for when the kernel has no memory. 0 on success. */
static __always_inline int lf_task_put(u32 tgid, struct lf_task *task)
{
	struct lf_control *ctl = lf_control();
	u32 slot = tgid % LF_FILTER, set = 1;

	maybe_tagged.update(&slot, &set); /* first: whoever reads in between searches in vain, which is harmless */
	if (!tasks.update(&tgid, task))
		return 0;
	if (ctl)
		ctl->reserve_used = 1;
	if (!task_reserve.update(&tgid, task))
		return 0;
	lf_count_failure(LF_F_TASK_MAP);
	return -1;
}

static __always_inline void lf_task_forget(u32 tgid)
{
	struct lf_control *ctl = lf_control();

	if (!lf_maybe_tagged(tgid))
		return;
	tasks.delete(&tgid);
	if (ctl && ctl->reserve_used)
		task_reserve.delete(&tgid);
}

/* Tags that the current cgroup gives. */
static __always_inline u64 lf_cgroup_tags(u64 cgroup_id)
{
	struct lf_control *ctl = lf_control();
	u64 *tags;

	if (!ctl || !ctl->selecting)
		return 0;
	tags = cgroups.lookup(&cgroup_id);
	return tags ? *tags : 0;
}

/* An empty image of this CPU, to be filled and put. */
static __always_inline struct lf_image *lf_image_begin(u32 tgid, u32 uid, u64 cgroup_id)
{
	u32 zero = 0;
	struct lf_image *image = image_scratch.lookup(&zero);

	if (!image)
		return NULL;
	__builtin_memset(image, 0, sizeof(*image));
	image->tgid = tgid;
	image->uid = uid;
	image->cgroup_id = cgroup_id;
	return image;
}

/* Files the image under the current time, which becomes its key. */
static __always_inline u64 lf_image_put(struct lf_image *image)
{
	u64 key = bpf_ktime_get_boot_ns();

	image->time_ns = key;
	if (images.update(&key, image))
		lf_count_failure(LF_F_IMAGE_MAP);
	return key;
}

/* A record of the task stage: not a verdict, but what an auditor must know to read verdicts. */
static __always_inline void lf_task_event(u32 reason, u64 tags, struct lf_actor *actor)
{
	struct lf_event *event = lf_event_begin(LF_S_TASK, actor);

	if (!event)
		return;
	event->reason = reason;
	event->tags = tags;
	lf_event_end(event);
}

/*
 * Adds the tags of a selected cgroup to a thread group that was found in it. They stay when it leaves. One that there
 * is no memory for is found again at each use, and may not fork. Nobody is killed here: cgroup programs can send
 * signals on recent kernels only.
 */
static __always_inline u64 lf_adopt(u32 tgid, u64 gained, struct lf_actor *actor, struct lf_image *image)
{
	struct lf_task fresh = {}, *task = lf_task_of(tgid);

	if (task && !(gained & ~task->tags))
		return task->tags;
	if (task) {
		task->tags |= gained;
		gained = task->tags;
		actor->image = task->image;
	} else {
		fresh.tags = gained;
		fresh.since_ns = bpf_ktime_get_boot_ns();
		fresh.image = image ? lf_image_put(image) : fresh.since_ns;
		fresh.cgroup_id = actor->cgroup_id;
		actor->image = fresh.image;
		lf_task_put(tgid, &fresh);
	}
	lf_task_event(LF_R_CGROUP, gained, actor);
	return gained;
}

static __always_inline void lf_current(struct lf_actor *actor)
{
	u64 id = bpf_get_current_pid_tgid();

	actor->tgid = id >> 32;
	actor->tid = id;
	actor->uid = bpf_get_current_uid_gid();
	actor->cgroup_id = bpf_get_current_cgroup_id();
	actor->image = 0;
	actor->netns = 0;
	actor->foreign = 0;
	actor->is_current = 1;
}

/* Tags of the current thread group; the shortest path for those who have none. */
static __always_inline u64 lf_current_tags(struct lf_actor *actor)
{
	struct lf_control *ctl = lf_control();
	struct lf_image *image;
	struct lf_task *task;
	u64 tags = 0, selected;

	actor->tgid = 0;
	if (!ctl || !ctl->tagged)
		return 0;
	lf_current(actor);
	task = lf_task_of(actor->tgid);
	if (task) {
		tags = task->tags;
		actor->image = task->image;
		actor->netns = task->netns;
	}
	selected = lf_cgroup_tags(actor->cgroup_id);
	if (!(selected & ~tags))
		return tags;
	image = lf_image_begin(actor->tgid, actor->uid, actor->cgroup_id);
	if (image)
		bpf_get_current_comm(image->comm, sizeof(image->comm));
	return lf_adopt(actor->tgid, selected, actor, image);
}

#endif
