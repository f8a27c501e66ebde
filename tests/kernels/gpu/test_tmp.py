import itertools, pytest
from dataclasses import replace
from calib_kernels.gpu import loss, gradient, rows, tuning
def show(c, tag):
    for b in c.main_loops():
        ex=sum("MUFU.EX2" in l for l in b); ld=[l.split()[1] for l in b if "LDG" in l]; st=[l.split()[1] for l in b if "STG" in l]
        print("  ",tag,"len",len(b),"ex",ex,"per",round(len(b)/ex,2),"mufu",sum("MUFU" in l for l in b)/ex,set(l for l in ld),set(st),"BAR",any("BAR" in l for l in b))
    print("  res",c.resources)
def test_x(compiled):
    for dt in ("*bf16","*fp16","*fp32"):
      for sm,cap in ((False,False),(True,False),(False,True),(True,True)):
       for tune in (tuning.ROW, tuning.ROW_STATS):
        k={"PARTITION":tune.partition,"BLOCK":tune.block,"slow_ptr":None,"SMOOTHED":sm}
        if not cap: k["cap"]=None
        print(dt,sm,cap,tune.block); show(compiled(loss.cross_entropy_kernel,90,dt,k,tune),"ce")
def test_y(compiled):
    for dt in ("*bf16","*fp16","*fp32"):
      for ce,cap in ((True,False),(True,True),(False,False)):
       for tune in (tuning.RowTuning(2048,32768,8,64),tuning.RowTuning(1024,32768,4,64)):
        k={"PARTITION":tune.partition,"BLOCK":tune.block}
        if not cap: k["cap"]=None
        if ce: k.update(dict.fromkeys(("d_lse_ptr","d_entropy_ptr","entropy_ptr","variance_ptr")))
        print(dt,ce,cap,tune.block); show(compiled(gradient.logits_gradient_kernel,90,dt,k,tune),"gr")
