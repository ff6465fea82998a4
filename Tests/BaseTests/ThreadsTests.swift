import Base
import Synchronization
import Testing

struct ThreadsTests {
    @Test(arguments: [0, 1, 7, 1000]) func `every number is taken once, whatever the width`(count: Int) throws {
        for width in [1, 3, 64] {
            let seen = Mutex([Int](repeating: 0, count: count))
            try Threads.forEach(count, width: width) { number in seen.withLock { $0[number] += 1 } }
            #expect(seen.withLock { $0 } == [Int](repeating: 1, count: count))
        }
    }

    @Test func `an error ends the work and is thrown`() {
        struct Wrong: Error {}
        let done = Mutex(0)
        #expect(throws: Wrong.self) {
            try Threads.forEach(1000, width: 4) { number in
                if number == 10 { throw Wrong() }
                done.withLock { $0 += 1 }
            }
        }
        #expect(done.withLock { $0 } < 1000)
    }
}
