import Base
import SystemPackage
import TestSupport
import Testing

/// Large content is streamed: what a command needs does not grow with it.
@Suite(.serialized) struct MemoryTests {
    /// Runs a command and prints the most memory that it, or a process it waited for, had at once, in KiB.
    private static let measure = """
        measure() {
          python3 -c 'import resource, subprocess, sys
        subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
        print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)' "$@"
        }

        """

    @Test func `an object of 300 MB goes to an LFS server and back in less than 150 MB of memory`() async throws {
        let bench = try await LFSBench()
        let seen = try await bench.project.sh(
            Self.measure + """
                git init -q work
                cd work
                git remote add origin \(bench.url)
                git ml init > /dev/null
                git ml track '*.bin' > /dev/null
                truncate -s 100000000 a.bin
                head -c 200000000 /dev/urandom >> a.bin
                measure git add -A
                git commit -q -m one
                measure git push -q origin main
                rm -r .git/lfs/objects
                rm a.bin
                measure git ml fetch
                git checkout -q a.bin
                """, in: "")
        let peaks = seen.split(whereSeparator: \.isNewline).compactMap { Int($0) }
        #expect(peaks.count == 3 && peaks.allSatisfy { (1000..<150_000).contains($0) }, "\(seen)")
        #expect(try bench.isAtServer("work/a.bin"))
        #expect(Files.status(bench.project.path.appending("work").appending("a.bin"))?.size == 300_000_000)
    }

    @Test func `a model of 200 MB becomes an image and goes to a registry in less than 150 MB of memory`() async throws
    {
        let project = try Project()
        let registry = try await DockerRegistry(project.path)
        try await project.sh(
            "git init -q work && cd work && git ml init && git ml track '*.bin' && head -c 200000000 /dev/urandom > a.bin",
            in: "")
        try project.write("work/ml.yaml", "version: 1\nmodels:\n  m: {path: a.bin}\n")
        let seen = try await project.sh(
            Self.measure + """
                git add . && git commit -q -m one
                measure git ml package m --to \(registry.host)/acme/m:v1
                measure git ml package m --to oci:../images:v1
                """)
        let peaks = seen.split(whereSeparator: \.isNewline).compactMap { Int($0) }
        #expect(peaks.count == 2 && peaks.allSatisfy { (1000..<150_000).contains($0) }, "\(seen)")
        try await project.sh("skopeo inspect --tls-verify=false docker://\(registry.host)/acme/m:v1 > /dev/null")
    }
}
