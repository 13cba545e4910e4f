/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Task lifecycle: tags are inherited before the child runs, and forgotten when the whole thread group is gone. */

#define LF_CLONE_THREAD 0x10000
#define LF_CGROUP2_ROOT 0 /* id of the cgroup v2 hierarchy; version 1 hierarchies have others */

static __always_inline void lf_remember_birth(u32 child, u32 parent, u32 hunt)
{
	struct lf_birth birth = {.time_ns = bpf_ktime_get_boot_ns(), .parent = parent, .hunt = hunt};

	births.update(&child, &birth);
}

/* The ancestor of a thread group that the hunt has found already, dead or alive. A birth that is later than its
 * child's belongs to another process that has the number now. */
static __always_inline struct lf_task *lf_found_above(u32 tgid, u32 hunt)
{
	u64 before = ~0ULL;

#pragma clang loop unroll(disable)
	for (u32 i = 0; i < LF_HUNT_DEPTH; i++) {
		struct lf_birth *birth = births.lookup(&tgid);
		struct lf_task *task;

		if (!birth || birth->time_ns > before)
			return NULL;
		before = birth->time_ns;
		tgid = birth->parent;
		task = lf_task_of(tgid);
		if (task && task->hunt == hunt)
			return task;
	}
	return NULL;
}

/*
 * User space comes too late for processes that fork and end at once: while it hunts a tree, they are found here, at
 * their next fork. The thread group's own entry, tagged now if it belongs to the tree.
 */
static __always_inline struct lf_task *lf_hunt(u32 tgid, struct lf_control *ctl)
{
	struct lf_task fresh = {}, *above, *task = lf_task_of(tgid);
	u32 hunt = ctl->hunt;

	if (!hunt || (task && task->hunt == hunt))
		return task;
	above = lf_found_above(tgid, hunt);
	if (!above)
		return task;
	if (task) {
		task->tags |= ctl->hunt_tags;
		task->hunt = hunt;
		return task;
	}
	fresh.tags = ctl->hunt_tags;
	fresh.image = above->image;
	fresh.since_ns = bpf_ktime_get_boot_ns();
	fresh.hunt = hunt;
	if (lf_task_put(tgid, &fresh) && bpf_send_signal(LF_SIGKILL))
		lf_count_failure(LF_F_SIGNAL);
	return lf_task_of(tgid);
}

/* A child may be born in another cgroup than its parent's (CLONE_INTO_CGROUP), and need not execute anything. */
static __always_inline void lf_adopt_child(u32 child, u64 task)
{
	struct lf_control *ctl = lf_control();
	struct lf_actor actor = {.tgid = child, .tid = child};
	struct lf_image *image;
	u64 tags;

	if (!ctl || !ctl->selecting)
		return;
	actor.cgroup_id = lf_cgroup_of(task);
	tags = lf_cgroup_tags(actor.cgroup_id);
	if (!tags)
		return;
	image = lf_image_begin(child, bpf_get_current_uid_gid(), actor.cgroup_id);
	if (image)
		bpf_get_current_comm(image->comm, sizeof(image->comm));
	lf_adopt(child, tags, &actor, image);
}

/* Runs in the parent, also for threads and io workers; a new thread shares its group's entry. */
int lf_task_newtask(struct bpf_raw_tracepoint_args *args)
{
	u32 child = lf_field32(args->args[0], LF_TASK_PID), parent = bpf_get_current_pid_tgid() >> 32;
	struct lf_control *ctl = lf_control();
	struct lf_task copy = {}, *task = NULL;
	struct lf_actor actor;
	u64 tags;

	if (args->args[1] & LF_CLONE_THREAD)
		return 0;
	if (ctl && ctl->tagged) {
		tags = lf_current_tags(&actor); /* whoever is in a selected cgroup and was not found yet */
		task = lf_hunt(parent, ctl);
		if (tags && !task && bpf_send_signal(LF_SIGKILL))
			lf_count_failure(LF_F_SIGNAL);
	}
	lf_remember_birth(child, parent, task ? task->hunt : 0);
	if (!task) {
		lf_task_forget(child); /* the number belonged to somebody else once */
		lf_adopt_child(child, args->args[0]);
		return 0;
	}
	copy.tags = task->tags;
	copy.image = task->image;
	copy.since_ns = bpf_ktime_get_boot_ns();
	copy.cgroup_id = task->cgroup_id;
	copy.parent = parent;
	copy.hunt = task->hunt;
	copy.netns = task->netns;
	if (lf_task_put(child, &copy) && bpf_send_signal(LF_SIGKILL))
		lf_count_failure(LF_F_SIGNAL);
	lf_adopt_child(child, args->args[0]);
	return 0;
}

int lf_sched_process_exec(struct tracepoint__sched__sched_process_exec *args)
{
	struct lf_actor actor = {};
	struct lf_image *image;
	struct lf_task *task;
	u64 tags = lf_current_tags(&actor);

	if (!tags)
		return 0;
	task = lf_task_of(actor.tgid);
	image = lf_image_begin(actor.tgid, actor.uid, actor.cgroup_id);
	if (!task || !image)
		return 0;
	bpf_get_current_comm(image->comm, sizeof(image->comm));
	TP_DATA_LOC_READ_STR(image->file, filename, sizeof(image->file));
	actor.image = lf_image_put(image);
	task->image = actor.image;
	if (!task->netns)
		task->netns = lf_netns_of(bpf_get_current_task());
	lf_task_event(LF_R_EXEC, tags, &actor);
	return 0;
}

/* Without group_dead (before Linux 6.16) the daemon forgets, and task_newtask when the number is used again. */
int lf_sched_process_exit(struct tracepoint__sched__sched_process_exit *args)
{
#ifdef LF_HAVE_GROUP_DEAD
	struct lf_control *ctl = lf_control();

	if (ctl && ctl->tagged && args->group_dead)
		lf_task_forget(bpf_get_current_pid_tgid() >> 32);
#endif
	return 0;
}

/* Tags for a cgroup that has just been made, also while the daemon is dead. */
int lf_cgroup_mkdir(struct tracepoint__cgroup__cgroup_mkdir *args)
{
	struct lf_control *ctl = lf_control();
	struct lf_policy *policy = lf_active();
	u64 id = args->id, tags;
	struct lf_match *m;
	u32 zero = 0;

	if (args->root != LF_CGROUP2_ROOT || !ctl || !ctl->selecting || !policy)
		return 0;
	m = matching.lookup(&zero);
	if (!m)
		return 0;
	TP_DATA_LOC_READ_STR(m->path, path, sizeof(m->path));
	if (m->path[LF_PATH_LEN - 2])
		lf_count_failure(LF_F_CGROUP_PATH);
	tags = lf_glob_match(m, policy->generation % LF_SLOTS);
	if (tags && cgroups.update(&id, &tags))
		lf_count_failure(LF_F_CGROUP_MAP);
	return 0;
}

int lf_cgroup_rmdir(struct tracepoint__cgroup__cgroup_rmdir *args)
{
	struct lf_control *ctl = lf_control();
	u64 id = args->id;

	if (args->root == LF_CGROUP2_ROOT && ctl && ctl->selecting)
		cgroups.delete(&id);
	return 0;
}

/* Runs in whoever moves the process, so the image can only be named by what the tracepoint tells. */
int lf_cgroup_attach_task(struct tracepoint__cgroup__cgroup_attach_task *args)
{
	struct lf_control *ctl = lf_control();
	struct lf_actor actor = {.tgid = args->pid, .tid = args->pid, .cgroup_id = args->dst_id};
	struct lf_image *image;
	u64 tags;

	if (args->dst_root != LF_CGROUP2_ROOT || !ctl || !ctl->selecting)
		return 0;
	tags = lf_cgroup_tags(args->dst_id);
	if (!tags)
		return 0;
	image = lf_image_begin(args->pid, 0, args->dst_id);
	if (image)
		TP_DATA_LOC_READ_STR(image->comm, comm, sizeof(image->comm));
	lf_adopt(args->pid, tags, &actor, image);
	return 0;
}
