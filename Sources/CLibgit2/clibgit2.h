#include <git2.h>

// git_libgit2_opts is variadic, which Swift cannot call; what is here is typed.

// Whether files below a repository's own folder are flushed to the disk as they are written.
static inline int gitml_set_fsync(int on) { return git_libgit2_opts(GIT_OPT_ENABLE_FSYNC_GITDIR, on); }

// Names the extensions of the repository format that this program can live with.
static inline int gitml_allow_extensions(const char *first, const char *second) {
    const char *names[] = {first, second};
    return git_libgit2_opts(GIT_OPT_SET_EXTENSIONS, names, (size_t)2);
}
