/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Whether the current task is the one on whose behalf the kernel works. In softirq it is a stranger that happened to
 * run: on a busy loopback a third of a server's packets leave while a client is current.
 */
#ifndef LANDFAST_CONTEXT_H
#define LANDFAST_CONTEXT_H

/*
 * Raw tracepoints, since others are skipped while any tracing program runs on the CPU. Softirqs do not nest, so a flag
 * is enough; one that is set by a softirq in which we were attached is cleared at its end.
 */
static __always_inline int lf_softirq(u64 running)
{
	u32 zero = 0;
	u64 *flag = serving_softirq.lookup(&zero);

	if (flag)
		*flag = running;
	return 0;
}

int lf_softirq_entry(void *ctx)
{
	return lf_softirq(1);
}

int lf_softirq_exit(void *ctx)
{
	return lf_softirq(0);
}

static __always_inline bool lf_in_process_context(void)
{
	u32 zero = 0;
	u64 *flag = serving_softirq.lookup(&zero);

	return flag && !*flag;
}

#endif
