internal import Base
public import SystemPackage

/// Where the tests find what was built and installed for them.
public enum Places {
    /// The top of the package.
    public static let package = FilePath(#filePath).removingLastComponent().removingLastComponent()
        .removingLastComponent()

    /// The folder of the binary under test.
    public static let programs =
        environmentValue("GIT_ML_TEST_PROGRAMS").map { FilePath($0) }
        ?? package.appending(".build").appending("debug")

    /// The folder of a Python with `Tests/Demo/project/requirements.txt` installed; `make test` makes it.
    public static let python =
        environmentValue("GIT_ML_TEST_PYTHON").map { FilePath($0) }
        ?? package.appending(".build").appending("python").appending("bin")
}
