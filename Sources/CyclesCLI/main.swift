print("usage: cycles demo")
