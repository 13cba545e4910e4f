// title: descriptor that an untagged supervisor puts into the table by a seccomp notification
// row: SCM_RIGHTS from an untagged helper, pidfd_getfd
// caps: sys_admin
// helper: supervisor
// tag: late
#include "technique.h"
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>

/* Every getppid() asks the supervisor, who answers with a descriptor. */
static int listener(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {sizeof(filter) / sizeof(*filter), filter};
	must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs");
	return must(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program),
	            "seccomp");
}

int main(void)
{
	int channel = helper_stream("notify");
	send_descriptor(channel, listener());
	wait_for_tag();
	send_mark(must(syscall(SYS_getppid), "a descriptor from the supervisor"));
	usleep(100000);
	return WENT_OUT;
}
