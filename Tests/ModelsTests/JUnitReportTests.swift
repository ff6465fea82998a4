import Testing

@testable import Models

struct JUnitReportTests {
    private func report(_ text: String) throws -> JUnitReport { try JUnitReport(Array(text.utf8)) }

    @Test func `tests are counted, and those that went wrong are named`() throws {
        let report = try report(
            """
            <?xml version="1.0" encoding="utf-8"?>
            <testsuites><testsuite name="pytest" errors="1" failures="1" tests="99">
            <testcase classname="t" name="test_a" time="0.1"/>
            <testcase classname="t" name="test_x"><failure message="a &lt; b">text</failure></testcase>
            <testsuite name="inner"><testcase name="test_é"><error/></testcase></testsuite>
            <testcase name="later"><skipped/></testcase>
            <system-out><![CDATA[<testcase name="no"/>]]></system-out>
            </testsuite></testsuites>
            """)
        #expect(report.summary == "4 tests, 2 failed: test_x, test_é, 1 skipped")
        #expect(!report.isPassed)
    }

    @Test(arguments: [
        (#"<testsuite><testcase name="a"/></testsuite>"#, "1 test", true), ("<testsuites/>", "0 tests", false),
        (#"<testsuite><testcase name="a"><skipped/></testcase></testsuite>"#, "1 test, 1 skipped", false),
    ])
    func `a report passes when something was tested and nothing failed`(text: String, summary: String, passes: Bool)
        throws
    {
        #expect(try report(text).summary == summary)
        #expect(try report(text).isPassed == passes)
    }

    @Test func `an encoding other than UTF-8 is understood`() throws {
        let head = Array(#"<?xml version="1.0" encoding="ISO-8859-1"?><testsuite><testcase name="caf"#.utf8)
        let report = try JUnitReport(head + [0xe9] + Array(#""><error/></testcase></testsuite>"#.utf8))
        #expect(report.failed == ["café"])
    }

    @Test(arguments: [
        "", "no xml", "<testsuite>", "<testsuite></testsuites>", "<html/>",
        """
        <!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;">]>
        <testsuite><testcase name="&c;"/></testsuite>
        """,
        #"<!DOCTYPE x SYSTEM "file:///etc/passwd"><testsuite/>"#,
    ])
    func `what is no report or has a document type is refused`(text: String) {
        let problem = #expect(throws: JUnitReport.Problem.self) { try report(text) }
        #expect(problem?.description.isEmpty == false)
    }

    @Test func `a report that is nested without end is refused`() {
        #expect(throws: JUnitReport.Problem.self) { try report(String(repeating: "<testsuite>", count: 5000)) }
    }
}
