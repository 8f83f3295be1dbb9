"""A git repository for a test."""

import subprocess


def git(root, *arguments):
    """Run git in a folder, as somebody; return what it prints."""
    command = ["git", "-C", str(root), "-c", "user.name=a", "-c", "user.email=a@b", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def commit_all(root, message="more"):
    """Commit all files of a folder, which becomes a repository; return the commit."""
    git(root, "init", "--quiet")
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--allow-empty", "--message", message)
    return git(root, "rev-parse", "HEAD")
