// title: unix socket of an untagged helper
// row: unix socket relay: path, abstract, stream, datagram
// helper: relay
// variants: stream dgram connected_dgram seq abstract abstract_dgram abstract_seq relative symlink hard_link root uring
#include "ring.h"

static int is_abstract(void)
{
	return !strncmp(env("VARIANT"), "abstract", 8);
}

static int type(void)
{
	if (strstr(env("VARIANT"), "dgram"))
		return SOCK_DGRAM;
	return strstr(env("VARIANT"), "seq") ? SOCK_SEQPACKET : SOCK_STREAM;
}

static const char *suffix(void)
{
	return type() == SOCK_DGRAM ? "dgram" : type() == SOCK_SEQPACKET ? "seq" : "stream";
}

/* The same socket by another path. */
static struct sockaddr_un name(void)
{
	struct sockaddr_un plain = beside_helper(suffix(), is_abstract()), other = {.sun_family = AF_UNIX};
	if (is("relative")) {
		must(chdir(env("RUN_DIR")), "chdir");
		snprintf(other.sun_path, sizeof(other.sun_path), "./%s", strrchr(plain.sun_path, '/') + 1);
	} else if (is("symlink")) {
		snprintf(other.sun_path, sizeof(other.sun_path), "%s/link", env("RUN_DIR"));
		must(symlink(plain.sun_path, other.sun_path), "symlink");
	} else if (is("hard_link")) {
		snprintf(other.sun_path, sizeof(other.sun_path), "%s/link", env("RUN_DIR"));
		must(link(plain.sun_path, other.sun_path), "link");
	} else if (is("root")) {
		snprintf(other.sun_path, sizeof(other.sun_path), "/proc/self/root%.80s", plain.sun_path);
	} else {
		return plain;
	}
	return other;
}

static void by_uring(int fd, struct sockaddr_un *to)
{
	struct ring ring = ring_made(0);
	struct io_uring_sqe *entry = ring_entry(&ring, IORING_OP_CONNECT, fd);
	entry->addr = (uintptr_t)to;
	entry->off = length_of(to);
	ring_submit(&ring);
	ring_send(&ring, fd);
	ring_submit(&ring);
}

int main(void)
{
	struct sockaddr_un to = name();
	int fd = must(socket(AF_UNIX, type(), 0), "unix socket");
	if (is("uring")) {
		by_uring(fd, &to);
	} else if (type() == SOCK_DGRAM && !is("connected_dgram")) {
		must(sendto(fd, mark(), strlen(mark()), 0, (struct sockaddr *)&to, length_of(&to)), "sendto");
	} else {
		must(connect(fd, (struct sockaddr *)&to, length_of(&to)), "connect");
		send_mark(fd);
	}
	usleep(200000);
	return WENT_OUT;
}
