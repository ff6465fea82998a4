#include <git2.h>

// git_libgit2_opts is variadic, which Swift cannot call; what is here is typed.

// Whether files below a repository's own folder are flushed to the disk as they are written.
static inline int gitml_set_fsync(int on) { return git_libgit2_opts(GIT_OPT_ENABLE_FSYNC_GITDIR, on); }

// Names the extensions of the repository format that this program can live with.
static inline int gitml_allow_extensions(const char *first, const char *second) {
    const char *names[] = {first, second};
    return git_libgit2_opts(GIT_OPT_SET_EXTENSIONS, names, (size_t)2);
}

// How much of the packs is mapped at once and for how long, and how many objects are kept, in bytes. The library's own
// limits are those of a server: 8 GiB and 256 MiB. Trees are kept up to the size of one that fans out into 256 more, which notes
// have two of: the library leaves out what is larger than 4 KiB and would inflate these again for each look.
static inline void gitml_limit_memory(size_t window, size_t mapped, size_t cached) {
    git_libgit2_opts(GIT_OPT_SET_MWINDOW_SIZE, window);
    git_libgit2_opts(GIT_OPT_SET_MWINDOW_MAPPED_LIMIT, mapped);
    git_libgit2_opts(GIT_OPT_SET_CACHE_MAX_SIZE, (ssize_t)cached);
    git_libgit2_opts(GIT_OPT_SET_CACHE_OBJECT_LIMIT, GIT_OBJECT_TREE, (size_t)16 << 10);
}
