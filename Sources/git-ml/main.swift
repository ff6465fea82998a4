import Commands

await GitML.start()
