use candle_core::*; use skeleton_graph::Layout; use skeletonmae::*; use skeletonmae::train::*;
unsafe extern "C" { fn clock_gettime(c:i32,t:*mut [i64;2])->i32; fn mallopt(a:i32,b:i32)->i32; }
fn cpu()->f64{let mut t=[0i64;2]; unsafe{clock_gettime(2,&mut t);} t[0] as f64+t[1] as f64*1e-9}
fn main(){ 
 unsafe{mallopt(-3,1<<30);mallopt(-1,i32::MAX);}
 rayon::ThreadPoolBuilder::new().num_threads(std::env::args().nth(1).map_or(1,|x|x.parse().unwrap())).build_global().unwrap();
 let layout=Layout::built_in("coco17").unwrap(); let store=Store::new(0,DType::F32,&Device::Cpu);
 let model=SkeletonMae::new(&MaeConfig::default(),&layout,2,store.builder()).unwrap();
 let (n,t,v)=(16,64,17);
 let s=Tensor::from_vec((0..n*t*v*2).map(|i|((i*7919)%1000) as f32/500.0-1.0).collect::<Vec<_>>(),(n,t,v,2),&Device::Cpu).unwrap();
 let batch=TrackBatch::new(s.clone(),vec![true;n*t*v],(0..n as u32).collect(),(0..n).map(|i|i.to_string()).collect(),vec![0;n]).unwrap();
 let hidden:Vec<bool>=(0..17).map(|j|[3usize,5].iter().any(|&p|layout.parts()[p].joints.contains(&j))).collect();
 let mask=Mask::of_tracks(&batch,&vec![hidden;n]);
 let mut opt=Optimizer::new(OptimizerConfig::Adam{lr:1.5e-4,beta1:0.9,beta2:0.999,weight_decay:0.0},store.parameters()).unwrap();
 let mut ts=vec![]; let mut fw=vec![]; let mut os=vec![];
 for _ in 0..40 { let t0=cpu(); let l=model.loss(&s,&mask,RceConfig::default(),mask.count() as f64,Mode::Train).unwrap(); fw.push(cpu()-t0);
  let mut g=Gradients::none(opt.parameters().len()); g.add(&l,opt.parameters()).unwrap(); let t1=cpu(); opt.step(g.as_slice(),1e-4).unwrap(); os.push(cpu()-t1); ts.push(cpu()-t0); }
 let med=|v:&mut Vec<f64>|{v.sort_by(f64::total_cmp); v[v.len()/2]*1e3};
 println!("step {:.2} ms forward {:.2} optimizer {:.2}", med(&mut ts), med(&mut fw), med(&mut os));
}
