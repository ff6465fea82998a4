#include <git2.h>

// git_libgit2_opts is variadic, which Swift cannot call; what is here is typed.

// Whether files below a repository's own folder are flushed to the disk as they are written.
static inline int gitml_set_fsync(int on) { return git_libgit2_opts(GIT_OPT_ENABLE_FSYNC_GITDIR, on); }

// Names an extension of the repository format that this program can live with.
static inline int gitml_allow_extension(const char *name) {
    return git_libgit2_opts(GIT_OPT_SET_EXTENSIONS, &name, (size_t)1);
}
