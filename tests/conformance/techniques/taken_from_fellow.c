// title: socket that is taken by pidfd_getfd from an untagged process of the same user
// row: SCM_RIGHTS from an untagged helper, pidfd_getfd
// helper: victim
// variants: native compat messenger
#include "compat.h"
#include "victim.h"
#include <sched.h>
#include <signal.h>

static int process;
static struct victim owner;

/* Takes the socket into a table that it shares, and may be killed for it. */
static int messenger(void *unused)
{
	(void)unused;
	return syscall(SYS_pidfd_getfd, process, owner.socket, 0);
}

static int left_behind(void)
{
	static char stack[65536] __attribute__((aligned(16)));
	int status, next = must(dup(0), "dup");
	close(next);
	must(waitpid(must(clone(messenger, stack + sizeof(stack), CLONE_FILES | CLONE_VM | SIGCHLD, NULL), "clone"),
	             &status, 0),
	     "waitpid");
	return next;
}

int main(void)
{
	owner = victim(1);
	process = must(syscall(SYS_pidfd_open, owner.pid, 0), "pidfd_open");
	if (is("messenger"))
		send_mark(left_behind());
	else if (is("compat"))
		send_mark(must(compat(COMPAT_PIDFD_GETFD, process, owner.socket, 0, 0, 0), "pidfd_getfd, 32 bits"));
	else
		send_mark(must(syscall(SYS_pidfd_getfd, process, owner.socket, 0), "pidfd_getfd"));
	return WENT_OUT;
}
