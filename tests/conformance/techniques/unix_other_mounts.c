// title: unix socket of an untagged helper, reached from a mount namespace and a root of one's own
// row: unix socket relay: path, abstract, stream, datagram
// caps: sys_admin
// helper: relay
// variants: moved masqueraded chroot
#include "technique.h"
#include <sched.h>
#include <sys/mount.h>

/* A name that policy might allow, with the helper's socket mounted over it. */
static void masquerade(const char *there, const char *here)
{
	close(must(open(here, O_CREAT | O_WRONLY, 0600), here));
	must(mount(there, here, NULL, MS_BIND, NULL), "bind mount of a socket");
}

int main(void)
{
	struct sockaddr_un to = beside_helper("stream", 0), there = to;
	must(unshare(CLONE_NEWNS), "unshare");
	must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "private mounts");
	if (is("moved")) {
		must(mount(env("RUN_DIR"), "/mnt", NULL, MS_BIND, NULL), "bind mount");
		snprintf(to.sun_path, sizeof(to.sun_path), "/mnt%s", strrchr(there.sun_path, '/'));
	} else if (is("masqueraded")) {
		must(mount("none", "/mnt", "tmpfs", 0, NULL), "tmpfs");
		masquerade(there.sun_path, "/mnt/log");
		strcpy(to.sun_path, "/mnt/log");
	} else {
		snprintf(to.sun_path, sizeof(to.sun_path), "%s", strrchr(there.sun_path, '/'));
		must(chroot(env("RUN_DIR")), "chroot");
	}
	int fd = must(socket(AF_UNIX, SOCK_STREAM, 0), "unix socket");
	must(connect(fd, (struct sockaddr *)&to, length_of(&to)), "connect");
	send_mark(fd);
	usleep(200000);
	return WENT_OUT;
}
