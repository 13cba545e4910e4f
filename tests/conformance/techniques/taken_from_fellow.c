// title: socket that is taken by pidfd_getfd from an untagged process of the same user
// row: SCM_RIGHTS from an untagged helper, pidfd_getfd
// helper: victim
// variants: native compat
#include "compat.h"
#include "victim.h"

int main(void)
{
	struct victim owner = victim(1);
	int process = must(syscall(SYS_pidfd_open, owner.pid, 0), "pidfd_open");
	if (is("compat"))
		send_mark(must(compat(COMPAT_PIDFD_GETFD, process, owner.socket, 0, 0, 0), "pidfd_getfd, 32 bits"));
	else
		send_mark(must(syscall(SYS_pidfd_getfd, process, owner.socket, 0), "pidfd_getfd"));
	return WENT_OUT;
}
