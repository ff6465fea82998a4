print("git-ml")
